"""Options that several commands have."""

import sys

import pytest
import typer

from napari_spheroseg.cli import app

COMMANDS = typer.main.get_command(app).commands
SHARED = ("device", "backend", "precision", "reserve", "workers", "scheduler", "pixel_size")
"""What means the same everywhere."""


def options(command):
    return {each.name: each for each in COMMANDS[command].params}


@pytest.mark.parametrize("name", SHARED)
def test_an_option_of_one_name_is_explained_in_the_same_words_everywhere(name):
    said = {options(command)[name].help for command in COMMANDS if name in options(command)}
    assert len(said) == 1


@pytest.mark.parametrize("command", ["segment", "restore", "classify", "evaluate"])
def test_what_runs_a_model_lets_choose_where_and_how(command):
    assert {"model", "device", "backend", "precision"} <= set(options(command))


@pytest.mark.parametrize("command", ["segment", "restore", "classify"])
def test_what_works_through_many_files_can_do_so_on_many_workers(command):
    assert {"workers", "scheduler", "reserve", "overwrite", "resume"} <= set(options(command))


@pytest.mark.parametrize(
    ("command", "shipped"),
    [
        ("segment", "unet"),
        ("evaluate", "unet"),
        ("restore", "nafnet"),
        ("classify", "cell_classifier"),
    ],
)
def test_the_help_says_which_model_is_taken_where_none_is_named(command, shipped):
    help_text = " ".join(options(command)["model"].help.split())
    assert f"[default: as spheroseg models default says; {shipped}]" in help_text


def test_a_missing_extra_is_bad_usage(spheroseg, bright, image, tmp_path, monkeypatch):
    from napari_spheroseg.readwrite.tiff import write_image

    write_image(tmp_path / "a.tif", image)
    monkeypatch.setitem(sys.modules, "distributed", None)
    asked = ("--model", bright, "--workers", 2)
    status, _, complaints = spheroseg("segment", tmp_path / "a.tif", "-o", tmp_path / "out", *asked)
    assert (status, len(complaints)) == (2, 1)
    assert 'pip install "napari-spheroseg[cluster]"' in complaints[0]
