"""What goes wrong in a way that the user can mend."""


class UserError(Exception):
    """Says what was expected, what came, where, and what to do next; shown without a traceback."""


class VideoError(UserError):
    """One video that cannot be used; the run goes on with the others and reports it at the end."""
