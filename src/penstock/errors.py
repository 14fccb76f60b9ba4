"""The one exception whose message is written for the person at the keyboard."""


class PenstockError(Exception):
    """Something a user can mend: the message names the file, the value and the remedy.

    The command line prints it as one line, without a traceback, and exits with 1.
    """
