"""Two kinds of trouble: what another try may cure, and what it cannot."""


class ProvisioningError(Exception):
    """Something is wrong with what was asked or with an answer; the message says what."""


class UnavailableError(ProvisioningError):
    """A service does not answer yet."""
