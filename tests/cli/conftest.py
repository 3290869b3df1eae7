"""What tests of the command line share."""

import pytest

from napari_spheroseg.cli import main


@pytest.fixture
def spheroseg(capsys):
    """Run a command: exit status, stdout, lines of stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(each) for each in arguments])
        said = capsys.readouterr()
        return end.value.code, said.out, said.err.splitlines()

    return run
