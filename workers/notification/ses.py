"""Mail through Amazon SES (API v2, aiobotocore, so asyncio only).

SES has no idempotency key: a send whose answer is lost cannot be asked about. That is why a record is claimed first (`records.py`).
The order and the notification travel as message tags, which SES repeats in whatever it tells of the mail later (`feedback.py`).
Error names: docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html; tags: API_MessageTag.html.
"""

import re
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from workers.notification.mail import Mail, MailNotSent, MailRefused, MailSender, MailUncertain

if TYPE_CHECKING:
    from types_aiobotocore_sesv2 import SESV2Client

ORDER_TAG: Final = "order"
NOTIFICATION_TAG: Final = "notification"
_TAG_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
_REFUSED: Final = frozenset(
    {"MessageRejected", "BadRequestException", "NotFoundException", "MailFromDomainNotVerifiedException"}
)
_HTTP_FAULT: Final = 500


class SesMailSender(MailSender):
    """Sends from one verified address, with a configuration set if there is one (bounces and complaints go there)."""

    def __init__(self, client: "SESV2Client", *, sender: str, configuration_set: str | None = None) -> None:
        self._client = client
        self._options: dict[str, Any] = {"FromEmailAddress": sender}
        if configuration_set is not None:
            self._options["ConfigurationSetName"] = configuration_set

    async def send(self, mail: Mail) -> str:
        """See `MailSender.send`."""
        body: dict[str, Any] = {"Text": {"Data": mail.text, "Charset": "UTF-8"}}
        if mail.html is not None:
            body["Html"] = {"Data": mail.html, "Charset": "UTF-8"}
        simple = {
            "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
            "Body": body,
            "Headers": [{"Name": "X-Notification-Id", "Value": mail.notification_id}],
        }
        request: dict[str, Any] = {
            **self._options,
            "Destination": {"ToAddresses": [mail.to]},
            "Content": {"Simple": simple},
            "EmailTags": [
                {"Name": name, "Value": value}
                for name, value in ((ORDER_TAG, mail.order_id), (NOTIFICATION_TAG, tag_of(mail.notification_id)))
                if _TAG_VALUE.fullmatch(value)
            ],
        }
        try:
            answer = await self._client.send_email(**request)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            if code in _REFUSED:
                raise MailRefused(code) from error
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise (MailUncertain if status >= _HTTP_FAULT else MailNotSent)(code) from error
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            raise MailNotSent(type(error).__name__) from error
        except BotoCoreError as error:
            raise MailUncertain(type(error).__name__) from error
        return answer["MessageId"]


def tag_of(notification_id: str) -> str:
    """A notification's name as a tag's value, which knows no colon; nothing that makes up the name holds an underscore."""
    return notification_id.replace(":", "_")


def notification_of(tag: str) -> str:
    """And back."""
    return tag.replace("_", ":")
