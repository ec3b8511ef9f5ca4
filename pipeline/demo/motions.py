"""What the people of the demo do: pure functions of time that return joint angles.

A motion takes `time` (n,) in seconds and a `Manner`, which says how this person does it, and
returns a `Pose`. Colours, places and cameras are not its business, and what a motion does not
need (free arms, small shifts of weight) comes from the manner, so that no still pose gives the
action away.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.demo.figure import (
    ABDUCTION,
    BEND,
    FLEXION,
    FORWARD,
    LEAN,
    LEFT,
    LIFT,
    RIGHT,
    ROTATION,
    SWAY,
    TURN,
    TWIST,
    Array,
    Pose,
)

# Where an arm may be that has nothing to do: (FLEXION, ABDUCTION, ROTATION, BEND).
RESTING_ARMS = np.array(
    [
        (0.0, 0.12, 0.0, 0.2),  # hanging
        (-0.45, 0.55, 0.6, 1.7),  # hand on the hip
        (0.7, 0.1, 0.7, 1.7),  # in front of the chest
        (0.1, 2.3, 0.0, 0.7),  # raised
        (1.3, 0.15, 0.0, 0.3),  # stretched forward
    ]
)
RESTING_ODDS = (0.4, 0.2, 0.15, 0.15, 0.1)


@dataclass(frozen=True)
class Manner:
    """How one person does a motion."""

    tempo: float  # factor on the motion's usual frequency
    phase: float  # [0, 1), where in its cycle the motion starts
    amplitude: float  # factor on its angles
    lead: int  # LEFT or RIGHT: the limb that leads
    speed: float  # of travel, in body heights per second; 0 stays in place
    arms: Array  # (2, 4) resting place of the arms
    arm_swing: float  # [0, 1], how far free arms swing along
    fidget: Array  # (3,) sizes of the slow shifts of weight, radians
    nuance: float  # [0, 1], a motion's own variant


Motion = Callable[[Array, Manner], Pose]


def draw_manner(rng: np.random.Generator) -> Manner:
    """A person's manner, the same distribution for every motion."""
    places = rng.choice(len(RESTING_ARMS), size=2, p=RESTING_ODDS)
    return Manner(
        tempo=float(np.exp(rng.uniform(-0.2, 0.2))),
        phase=float(rng.uniform()),
        amplitude=float(rng.uniform(0.75, 1.15)),
        lead=int(rng.integers(2)),
        speed=float(rng.uniform(0.2, 0.65) * (rng.uniform() < 0.5)),
        arms=RESTING_ARMS[places] + rng.normal(0.0, 0.1, (2, 4)),
        arm_swing=float(rng.choice([0.15, 1.0], p=[0.35, 0.65])),
        fidget=rng.normal(0.0, 0.04, 3),
        nuance=float(rng.uniform()),
    )


def cycles(time: Array, manner: Manner, frequency: float) -> Array:
    """Cycles gone through (n,), at `frequency` per second for a tempo of 1."""
    return frequency * manner.tempo * time + manner.phase


def keyed(cycle: Array, **values: float) -> Array:
    """Eases through `values` keyed by hundredths of a cycle (`at20=0.5`), round and round."""
    keys = np.array([int(key.removeprefix("at")) / 100 for key in values])
    heights = np.array(list(values.values()))
    keys, heights = np.append(keys, keys[0] + 1.0), np.append(heights, heights[0])
    now = (cycle - keys[0]) % 1.0 + keys[0]
    before = np.clip(np.searchsorted(keys, now, side="right") - 1, 0, len(keys) - 2)
    share = (now - keys[before]) / (keys[before + 1] - keys[before])
    return heights[before] + (heights[before + 1] - heights[before]) * share**2 * (3 - 2 * share)


def standing(time: Array, manner: Manner) -> Pose:
    """Stands, with resting arms and slow shifts of weight: what the motions start from."""
    n = len(time)
    pose = Pose(np.zeros((n, 2, 4)), np.zeros((n, 2, 4)), np.zeros((n, 3)), np.zeros((n, 4)))
    slow = np.sin(2 * np.pi * (0.4 * time + manner.phase))
    pose.arms[:] = manner.arms + 0.8 * manner.fidget[0] * slow[:, None, None]
    pose.legs[:, :, ABDUCTION] = 0.06 + 0.1 * manner.nuance
    pose.legs[:, :, BEND] = 0.06
    pose.torso[:, LEAN] = 0.03 + manner.fidget[0] * slow
    pose.torso[:, SWAY] = manner.fidget[1] * slow
    pose.root[:, TURN] = manner.fidget[2] * slow
    return pose


def crouch(pose: Pose, depth: Array) -> None:
    """Bends the legs by `depth` (n,) radians at the hip, with the feet below the pelvis."""
    pose.legs[:, :, FLEXION] += depth[:, None]
    pose.legs[:, :, BEND] += 2 * depth[:, None]
    pose.torso[:, LEAN] += 0.4 * depth


@dataclass(frozen=True)
class Gait:
    """A way of going: angles in radians at amplitude 1."""

    frequency: float  # strides (two steps) per second
    hip: float
    knee: float
    arm: float
    elbow: float
    lean: float
    bounce: float  # body heights


def go(time: Array, manner: Manner, gait: Gait) -> Pose:
    """Legs take turns, free arms swing against them; travels when the manner says so."""
    pose = standing(time, manner)
    stride = 2 * np.pi * cycles(time, manner, gait.frequency)
    pose.root[:, FORWARD] = manner.speed * time
    pose.root[:, LIFT] = gait.bounce * np.abs(np.sin(stride))
    pose.torso[:, LEAN] += gait.lean
    pose.torso[:, TWIST] += 0.12 * gait.arm * np.sin(stride)
    for side, leg in ((LEFT, stride), (RIGHT, stride + np.pi)):
        pose.legs[:, side, FLEXION] += gait.hip * manner.amplitude * np.sin(leg) + 0.15 * gait.hip
        pose.legs[:, side, BEND] += gait.knee * manner.amplitude * np.maximum(0, np.cos(leg))
        swing = -gait.arm * manner.amplitude * np.sin(leg)
        free = np.array([0.0, 0.12, 0.0, gait.elbow]) if manner.arm_swing > 0.5 else 0.0
        if manner.arm_swing > 0.5:
            pose.arms[:, side] = free
        pose.arms[:, side, FLEXION] += manner.arm_swing * swing
    return pose


def walk(time: Array, manner: Manner) -> Pose:
    """Walks, in place or across."""
    return go(time, manner, Gait(0.95, 0.45, 0.75, 0.45, 0.3, 0.03, 0.0))


def run(time: Array, manner: Manner) -> Pose:
    """Runs, in place or across."""
    return go(time, manner, Gait(1.6, 0.75, 1.6, 0.8, 1.5, 0.15, 0.05))


def jump(time: Array, manner: Manner) -> Pose:
    """Jumps up and down: crouch, flight, landing."""
    pose = standing(time, manner)
    cycle = cycles(time, manner, 1.1)
    crouch(pose, manner.amplitude * keyed(cycle, at0=0.25, at12=0.1, at30=0.7, at45=0.0, at88=0.0))
    flight = np.clip((cycle % 1.0 - 0.45) / 0.43, 0.0, 1.0)
    pose.root[:, LIFT] = 0.22 * manner.amplitude * 4 * flight * (1 - flight)
    reach = manner.arm_swing * keyed(cycle, at0=0.3, at30=-0.5, at55=1.6, at88=0.5)
    pose.arms[:, :, FLEXION] += 0.8 * manner.nuance * reach[:, None]
    return pose


def wave(time: Array, manner: Manner) -> Pose:
    """Waves with one arm."""
    pose = standing(time, manner)
    swing = np.sin(2 * np.pi * cycles(time, manner, 2.0))
    arm = pose.arms[:, manner.lead]
    arm[:, FLEXION] = 0.1
    arm[:, ABDUCTION] = 1.5 + 0.9 * manner.nuance + 0.15 * swing
    arm[:, ROTATION] = -1.5  # turns the elbow so that the forearm swings sideways
    arm[:, BEND] = 0.9 - 0.5 * manner.nuance + 0.65 * manner.amplitude * swing
    return pose


def squat(time: Array, manner: Manner) -> Pose:
    """Bends the knees deeply and comes up again."""
    pose = standing(time, manner)
    depth = 0.5 - 0.5 * np.cos(2 * np.pi * cycles(time, manner, 0.7))
    crouch(pose, 1.1 * manner.amplitude * depth)
    pose.arms[:, :, FLEXION] += manner.arm_swing * manner.nuance * depth[:, None]
    return pose


def kick(time: Array, manner: Manner) -> Pose:
    """Kicks forward with one leg: backswing, strike, return."""
    pose = standing(time, manner)
    cycle = cycles(time, manner, 1.0)
    swing = manner.amplitude * keyed(cycle, at0=0.0, at22=-0.5, at45=1.5, at62=0.7, at85=0.0)
    leg = pose.legs[:, manner.lead]
    leg[:, FLEXION] += swing
    leg[:, BEND] += manner.amplitude * keyed(
        cycle, at0=0.1, at22=1.2, at45=0.05, at62=0.9, at85=0.1
    )
    leg[:, ABDUCTION] += 0.5 * manner.nuance * np.maximum(0.0, swing)
    pose.torso[:, LEAN] -= 0.2 * swing
    pose.arms[:, :, FLEXION] -= 0.3 * manner.arm_swing * swing[:, None]
    return pose


ACTIONS: dict[str, Motion] = {
    "jump": jump,
    "kick": kick,
    "run": run,
    "squat": squat,
    "walk": walk,
    "wave": wave,
}
