"""A person as a chain of joints: proportions and joint angles in, joint positions out. Pure.

Lengths are in body heights, angles in radians, `n` is the number of frames. The body's axes are
x forward, y to the person's left, z up; the ground is z = 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEFT, RIGHT = 0, 1
SIDES = ("left", "right")
FLEXION, ABDUCTION, ROTATION, BEND = range(4)  # of an arm or a leg: forward, outward, axial, joint
LEAN, SWAY, TWIST = range(3)  # of the torso: forward, to the left, about its axis
FORWARD, LIFT, TURN, TILT = range(4)  # of the whole body: travel, height above ground, yaw, pitch

PAIRED = ("shoulder", "elbow", "hand", "hip", "knee", "ankle", "toe")
JOINTS = ("pelvis", "neck", "head", *(f"{name}_{side}" for name in PAIRED for side in SIDES))
JOINT = {name: index for index, name in enumerate(JOINTS)}


@dataclass(frozen=True)
class Build:
    """A person's proportions, in body heights; the defaults are an average adult's."""

    torso: float = 0.29
    neck: float = 0.11  # from the shoulders' line to the middle of the head
    head: float = 0.07  # radius
    upper_arm: float = 0.17
    forearm: float = 0.19  # to the middle of the hand
    thigh: float = 0.25
    shin: float = 0.24
    foot: float = 0.10
    shoulders: float = 0.115  # half of the width
    hips: float = 0.055  # half of the width
    girth: float = 1.0  # thickness of limbs and torso, 1 is average


@dataclass(frozen=True)
class Pose:
    """Joint angles of `n` frames; all zeros is a person that stands upright with hanging arms."""

    arms: Array  # (n, 2, 4): side, (FLEXION, ABDUCTION, ROTATION, BEND)
    legs: Array  # (n, 2, 4): likewise
    torso: Array  # (n, 3): LEAN, SWAY, TWIST
    root: Array  # (n, 4): FORWARD and LIFT in body heights, TURN, TILT


def joints(pose: Pose, build: Build) -> Array:
    """Positions (n, len(JOINTS), 3) of the joints; the lowest one is LIFT above the ground."""
    n = len(pose.root)
    pelvis = _about(2, pose.root[:, TURN]) @ _about(1, pose.root[:, TILT])
    chest = (
        pelvis
        @ _about(2, pose.torso[:, TWIST])
        @ _about(1, pose.torso[:, LEAN])
        @ _about(0, -pose.torso[:, SWAY])
    )
    at = np.zeros((n, len(JOINTS), 3))
    at[:, JOINT["neck"]] = chest[:, :, 2] * build.torso
    at[:, JOINT["head"]] = chest[:, :, 2] * (build.torso + build.neck)
    for side, name, outward in ((LEFT, "left", 1.0), (RIGHT, "right", -1.0)):
        shoulder = at[:, JOINT["neck"]] + chest[:, :, 1] * outward * build.shoulders
        arm = _limb(chest, pose.arms[:, side], outward, build.upper_arm, build.forearm, bends=1.0)
        at[:, JOINT[f"shoulder_{name}"]] = shoulder
        at[:, JOINT[f"elbow_{name}"]] = shoulder + arm.middle
        at[:, JOINT[f"hand_{name}"]] = shoulder + arm.end

        hip = pelvis[:, :, 1] * outward * build.hips
        leg = _limb(pelvis, pose.legs[:, side], outward, build.thigh, build.shin, bends=-1.0)
        toes = leg.forward + pelvis[:, :, 0]  # the ankle takes up half of the shin's slope
        toes *= build.foot / np.maximum(np.linalg.norm(toes, axis=1, keepdims=True), 1e-6)
        at[:, JOINT[f"hip_{name}"]] = hip
        at[:, JOINT[f"knee_{name}"]] = hip + leg.middle
        at[:, JOINT[f"ankle_{name}"]] = hip + leg.end
        at[:, JOINT[f"toe_{name}"]] = hip + leg.end + toes
    at[:, :, 0] += pose.root[:, FORWARD, None]
    at[:, :, 2] += pose.root[:, LIFT, None] - at[:, :, 2].min(axis=1, keepdims=True)
    return at


@dataclass(frozen=True)
class _Limb:
    middle: Array  # (n, 3) elbow or knee, from where the limb starts
    end: Array  # (n, 3) hand or ankle
    forward: Array  # (n, 3) unit vector ahead of the lower part


def _limb(
    frame: Array, angles: Array, outward: float, upper: float, lower: float, bends: float
) -> _Limb:
    """An arm (`bends` 1: forward) or a leg (-1: backward) that hangs in `frame` (n, 3, 3)."""
    first = (
        frame
        @ _about(0, outward * angles[:, ABDUCTION])
        @ _about(1, -angles[:, FLEXION])
        @ _about(2, -outward * angles[:, ROTATION])
    )
    second = first @ _about(1, -bends * angles[:, BEND])
    middle = -upper * first[:, :, 2]
    return _Limb(middle, middle - lower * second[:, :, 2], second[:, :, 0])


def _about(axis: int, angle: Array) -> Array:
    """Rotations (n, 3, 3) by `angle` (n,) about x, y or z (0, 1, 2), right-handed."""
    cos, sin = np.cos(angle), np.sin(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = np.zeros((len(angle), 3, 3))
    turn[:, axis, axis] = 1.0
    turn[:, i, i] = turn[:, j, j] = cos
    turn[:, i, j], turn[:, j, i] = -sin, sin
    return turn
