"""What can go wrong with the embedded environment. Each message says what to do.

LocalEnvironmentError
├── NotSetUp            the emulator is not installed
├── StateDirUnusable    the state folder cannot be written, is not ours, or holds damaged files
├── Busy                another start or stop holds the folder for too long
├── EmulatorFailed      the emulator does not start, does not answer, or did not save its state
└── ProvisioningFailed  the stack could not be created or lacks an output
"""


class LocalEnvironmentError(Exception):
    """Any failure of the embedded environment."""


class NotSetUp(LocalEnvironmentError):
    """The emulator's virtual environment is missing."""


class StateDirUnusable(LocalEnvironmentError):
    """The state folder cannot be written, belongs to something else, or holds damaged files."""


class Busy(LocalEnvironmentError):
    """Another start or stop works on the same state folder and does not end."""


class EmulatorFailed(LocalEnvironmentError):
    """The emulator does not start, does not answer, or could not save its state."""


class ProvisioningFailed(LocalEnvironmentError):
    """The resources could not be made as the template says."""
