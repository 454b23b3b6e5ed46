"""SMS through Amazon SNS (aiobotocore, so asyncio only): `Publish` to a phone number.

SNS has no idempotency key for an SMS. Attributes: docs.aws.amazon.com/sns/latest/dg/sms_publish-to-phone.html; errors:
docs.aws.amazon.com/sns/latest/api/API_Publish.html. With `MaxPrice` SNS does not send what would cost more.
"""

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from workers.notification.sms import SmsNotSent, SmsOptedOut, SmsRefused, SmsSender, SmsUncertain

if TYPE_CHECKING:
    from types_aiobotocore_sns import SNSClient

_OPTED_OUT: Final = frozenset({"OptedOut", "OptedOutException"})
_REFUSED: Final = frozenset(
    {"InvalidParameter", "InvalidParameterException", "ParameterValueInvalid", "InvalidParameterValue", "ValidationException"}
)  # fmt: skip
_HTTP_FAULT: Final = 500


class SnsSmsSender(SmsSender):
    """Sends transactional SMS. `price_max_usd` is for one part; `sender_id` is shown where the country lets it."""

    def __init__(self, client: "SNSClient", *, price_max_usd: float, sender_id: str | None = None) -> None:
        self._client = client
        self._attributes: dict[str, Any] = {
            "AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"},
            "AWS.SNS.SMS.MaxPrice": {"DataType": "Number", "StringValue": f"{price_max_usd:.5f}"},
        }
        if sender_id is not None:
            self._attributes["AWS.SNS.SMS.SenderID"] = {"DataType": "String", "StringValue": sender_id}

    async def send(self, phone: str, text: str) -> str:
        """See `SmsSender.send`."""
        try:
            answer = await self._client.publish(PhoneNumber=phone, Message=text, MessageAttributes=self._attributes)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            if code in _OPTED_OUT:
                raise SmsOptedOut(code) from error
            if code in _REFUSED:
                raise SmsRefused(code) from error
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise (SmsUncertain if status >= _HTTP_FAULT else SmsNotSent)(code) from error
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            raise SmsNotSent(type(error).__name__) from error
        except BotoCoreError as error:
            raise SmsUncertain(type(error).__name__) from error
        return answer["MessageId"]
