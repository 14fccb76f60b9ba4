"""Which module imports which: for what a registered model needs."""

import grimp

PACKAGE = __name__.partition(".")[0]


def import_graph() -> grimp.ImportGraph:
    """Imports of this package and of libraries, as the files are now; none for type checkers only.

    Raises:
        grimp.exceptions.SourceSyntaxError: a module is not Python.
    """
    return grimp.build_graph(
        PACKAGE,
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )
