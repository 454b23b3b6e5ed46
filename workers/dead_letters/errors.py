"""What can be wrong with a request about dead letters.

DeadLetterError
├── UnknownQueue         no such queue (LookupError)
├── UnknownLetter        no letter with this id was found in the queue (LookupError)
├── NotAllowed           wrong or refused: a missing reason, a number out of bounds, another count than confirmed (ValueError)
│   └── NotThatBody      a correction that is no correction of this letter
├── RecordUnreadable     what is on record of a letter is none of our records: nothing was done; for a person
└── DeskUnavailable      the queues or the records do not answer now (ConnectionError); what is on record was done, the rest was not

Those outside this package who may not import it (the HTTP API) tell them apart by the built-in class in brackets.
"""


class DeadLetterError(Exception):
    """A request about dead letters was not carried out."""


class UnknownQueue(DeadLetterError, LookupError):
    """There is no such queue."""


class UnknownLetter(DeadLetterError, LookupError):
    """There is no such letter in the queue, or nobody can see it at the moment."""


class RecordUnreadable(DeadLetterError):
    """What is stored in a record's place is none. Nothing was done with the letter."""


class NotAllowed(DeadLetterError, ValueError):
    """The request is refused as it stands. The text quotes no body."""


class NotThatBody(NotAllowed):
    """The new body is no correction of this letter."""


class DeskUnavailable(DeadLetterError, ConnectionError):
    """A queue, the log or the records do not answer, or do not let us in; try again later."""

    def __init__(self, text: str, *, said: str | None = None) -> None:
        """`said` are the words of who does not answer, for who sits at a terminal: they may name accounts and roles."""
        super().__init__(text)
        self._said = said

    def __str__(self) -> str:
        """Both; `args` has the text alone."""
        return str(self.args[0]) if self._said is None else f"{self.args[0]}: {self._said}"
