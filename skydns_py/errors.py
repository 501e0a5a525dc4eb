"""The two kinds of error that are not our bugs, each with a sentence for the person who reads it.

Everything else that is raised is a bug, and is caught at two doors only: `respond`, and the loop of
a source.
"""


class SettingsError(Exception):
    """The operator's: what was written cannot be meant. Retrying does not help.

    `where` is the place to look at, such as `Corefile:12`, empty when there is none.
    """

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class SourceError(Exception):
    """The upstream's: a registry refused, broke off or said nonsense. Retrying may help.

    Raised `from` the library's own error, so that this one never has to be known outside.
    """
