"""How a domain looks: everything about its videos but the actions.

A `Style` says what may occur in a domain's videos; each video draws its own values. Pairs are
(lowest, highest) of a uniform distribution.
"""

from dataclasses import dataclass

from pipeline.demo.background import Painter, paint_street, paint_studio

Range = tuple[float, float]


@dataclass(frozen=True)
class Camera:
    """Where the camera is and how still it is held."""

    elevation: Range  # radians, looking down
    roll: float  # radians, standard deviation
    follow: Range  # share of the person's travel that the camera goes along with
    pan: float  # frame widths per second, at most, to either side
    shake: float  # frame heights, standard deviation


@dataclass(frozen=True)
class Light:
    """What the light does to colours."""

    level: Range  # factor on all
    warmth: Range  # factor on red over factor on blue, natural logarithm
    flicker: float  # relative swing of the level, from frame to frame


@dataclass(frozen=True)
class Sensor:
    """What the camera's chip and lens add."""

    blur: Range  # Gaussian, standard deviation in pixels
    noise: Range  # Gaussian, standard deviation in grey levels of 255


@dataclass(frozen=True)
class Clutter:
    """What else moves, and what stands in front: how many, at least and at most."""

    passers_by: tuple[int, int]
    vehicles: tuple[int, int]
    posts: tuple[int, int]


@dataclass(frozen=True)
class Style:
    """A domain's look."""

    width: int
    height: int
    fps: int
    frames: tuple[int, int]
    figure: Range  # the person's height, as a share of the frame's
    place: Range  # where the person is, as a share of the frame's width
    ground: Range  # where the person stands, as a share of the frame's height
    horizon: Range  # where the ground ends, likewise
    background: Painter
    camera: Camera
    light: Light
    sensor: Sensor
    clutter: Clutter


STUDIO = Style(
    width=320,
    height=240,
    fps=25,
    frames=(45, 50),
    figure=(0.58, 0.72),
    place=(0.36, 0.64),
    ground=(0.88, 0.94),
    horizon=(0.66, 0.8),
    background=paint_studio,
    camera=Camera(elevation=(0.0, 0.1), roll=0.0, follow=(0.0, 0.0), pan=0.0, shake=0.0),
    light=Light(level=(0.95, 1.1), warmth=(-0.05, 0.1), flicker=0.0),
    sensor=Sensor(blur=(0.0, 0.4), noise=(0.5, 2.0)),
    clutter=Clutter(passers_by=(0, 0), vehicles=(0, 0), posts=(0, 0)),
)

STREET = Style(
    width=384,
    height=216,
    fps=30,
    frames=(50, 60),
    figure=(0.52, 0.7),
    place=(0.3, 0.7),
    ground=(0.85, 0.95),
    horizon=(0.5, 0.62),
    background=paint_street,
    camera=Camera(elevation=(0.05, 0.3), roll=0.01, follow=(0.0, 1.0), pan=0.06, shake=0.004),
    light=Light(level=(0.55, 0.85), warmth=(-0.35, 0.35), flicker=0.02),
    sensor=Sensor(blur=(0.4, 1.0), noise=(4.0, 9.0)),
    clutter=Clutter(passers_by=(0, 3), vehicles=(0, 1), posts=(0, 1)),
)
