"""How plate readers and microscopes name their files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pattern:
    """How files are named.

    Attributes
    ----------
    text : str
        With placeholders, or a regular expression with named groups ``(?P<well>...)``.
    title, example : str
        Of a built-in pattern: who names files so, and one such name.
    """

    text: str
    title: str = ""
    example: str = ""


_MM = "Micro-Manager"
PATTERNS = (
    Pattern(
        "[{*}_]{well}_{position}_{date}",
        "Incucyte, date",
        "Name_A1_1_2024y01m31d_12h30m.tif",
    ),
    Pattern("[{*}_]{well}_{position}_{elapsed}", "Incucyte, elapsed", "VID12_B3_2_00d04h00m.tif"),
    Pattern(
        r"^r(?P<row>\d{2})c(?P<column>\d{2})f(?P<position>\d+)p\d+(?:rc\d+)?-ch(?P<channel>\d+)"
        r"sk(?P<frame>\d+)fk\d+fl\d+$",
        "Opera Phenix, Operetta CLS (Harmony)",
        "r02c03f04p01-ch1sk1fk1fl1.tiff",
    ),
    Pattern(
        r"^(?P<row>\d{3})(?P<column>\d{3})-(?P<position>\d+)-\d{9}$",
        "Operetta (Harmony 3, Columbus)",  # the order of its last nine digits is not documented
        "002003-4-001001001.tif",
    ),
    Pattern(
        "{*}_t{frame}_{well}_s{position}_w{channel}_z{#}",
        "ImageXpress HCS.ai",
        "Exp_t1_B03_s0_w0_z0.tif",
    ),
    Pattern(
        r"^(?:(?:TimePoint_(?P<frame>\d+)|[^/]*)/)?(?:.+_)?(?P<well>[A-Z]{1,2}\d{2})"
        # MetaXpress puts a GUID right behind the one digit of the wavelength
        r"_s(?P<position>\d+)(?:_w(?P<channel>\d)(?:[0-9A-F]{8}[0-9A-F-]{28})?)?(?:_z\d+)?$",
        "ImageXpress (MetaXpress)",
        "Exp_B03_s1_w1.tif",
    ),
    Pattern(
        r"^(?P<well>[A-Za-z]{1,2}\d{1,2})(?:ROI\d+)?_-?\d+_\d+_(?P<position>\d+)(?:Z\d+)?"
        r"_(?P<channel>[^/]+)_(?P<frame>\d{3})$",
        "Cytation (Gen5)",
        "A1_01_1_1_Bright Field_001.tif",
    ),
    Pattern(
        "{*}_{well}_T{frame}F{position}L{#}A{#}Z{#}C{channel}",
        "Yokogawa CV7000, CV8000",
        "Plate_B02_T0001F001L01A01Z01C01.tif",
    ),
    Pattern(
        "W{number}F{position}T{frame}Z{#}C{channel}", "Yokogawa CQ1", "W0262F0001T0001Z000C2.tif"
    ),
    Pattern(
        "[{*}_]Well{well}[_Point{*}_{position}][_Channel{channel}]_Seq{#}",
        "Nikon NIS-Elements JOBS",
        "WellA01_PointA01_0000_ChannelBF_Seq0000.tif",
    ),
    Pattern(
        r"(?:t(?P<frame>\d+))?xy(?P<position>\d+)(?:z\d+)?(?:c(?P<channel>\d+))?$",
        "Nikon NIS-Elements, exported",
        "seriest001xy02c1.tif",
    ),
    Pattern(
        r"^(?:(?P<well>[A-Z]{1,2}\d{1,2})|.*)--W(?P<number>\d{5})--P(?P<position>\d{5})--Z\d{5}"
        r"--T(?P<frame>\d{5})--(?P<channel>.+)$",
        "ScanR",
        "A1--W00001--P00001--Z00000--T00000--Trans.tif",
    ),
    Pattern(
        "{row} - {column}(fld {position} wv {channel}[ z {#}][ time {frame} - {*}])",
        "IN Cell Analyzer",
        "B - 03(fld 1 wv TL - Bright field).tif",
    ),
    Pattern("[{*}_]{well}f{position}d{channel}", "ArrayScan, CellInsight", "Plate_B03f01d0.tif"),
    Pattern("[{*}_]MMStack_{well}-Site_{position}", f"{_MM}, plate", "x_MMStack_A1-Site_0.ome.tif"),
    Pattern("[{*}_]MMStack_Pos{position}", f"{_MM}, positions", "x_MMStack_Pos0.ome.tif"),
    Pattern(
        "img_channel{channel}_position{position}_time{frame}_z{#}",
        f"{_MM}, single images",
        "img_channel000_position000_time000000004_z000.tif",
    ),
    Pattern("Day[_]{day}/[{*}_]{well}", "a folder a day", "Day3/B02.tif"),
    Pattern("{well}/{*}t{frame}", "a folder a well", "B02/image_t003.tif"),
    Pattern("[{*}_]{well}_day[_]{day}", "well and day", "B04_day3.tif"),
    Pattern("[{*}_]{well}_{hour}h", "well and hours", "B04_48h.tif"),
    Pattern("[{*}_]{well}[_s{position}]_t{frame}", "well and frame", "B04_t003.tif"),
    Pattern("{name}_t{frame}[_z{#}][_c[h]{channel}]", "frame", "spheroid_t003.tif"),
    Pattern("{name}_day[_]{day}", "day", "spheroid_day3.tif"),
    Pattern("[{*}_]{well}", "well", "Plate_B04.tif"),
)
"""What plate readers and microscopes write, the more particular first."""
