"""The knobs of the generator as functions of one number, `difficulty`: 0 is plain, 1 is the first version of the set.

Difficulty sets how much clutter, glass, tilt and shadow a picture has. It never changes a label, and held-out pictures
always have the difficulty of the training pictures.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Knobs:
    """The settings of one difficulty. Chances are between 0 and 1."""

    clutter: float  # chance that each of 0..7 planned distractors is placed
    backdrop: float  # factor on the chances of things on the wall and far behind
    busy: float  # how often a surface may carry a loud pattern
    glass: float  # factor on the chances of clear glass
    mirror: float  # factor on the chance of metal
    roughest_mirror: float  # least roughness of metal: 0.08 mirrors the room, 0.35 only shines
    lying: float  # factor on the chance that the object lies on its side
    tilt: float  # chance of a tilt of up to 5 degrees
    roll: float  # standard deviation of the camera's roll in degrees
    wild_roll: float  # chance of a roll of up to 25 degrees instead
    least_fill: float  # least share of the frame's side that the object spans (the most is 0.95)
    wander: float  # how far off the middle the object may stand, as a share of the room left
    elevation: float  # 0: the class's usual camera height, 1: the whole range
    hidden_key: float  # 0: the key part (handle, spout, beak) is in clear view, 1: it may point away
    blur: float  # chance of a wide-open lens
    dim: float  # spread of the exposure, and darkness around a lit lamp
    unlit: float  # factor on the chance that there is no lamp or sun besides the surroundings
    least_visible: float  # least share of the object that is not hidden
    least_contrast: float  # least mean step across the object's outline, of 255
    grain: float  # factor on the sensor noise


def knobs(difficulty: float) -> Knobs:
    """The knobs at a difficulty between 0 and 1; raises ValueError outside it."""
    if not 0 <= difficulty <= 1:
        raise ValueError(f"difficulty is {difficulty}; it goes from 0 (plain pictures) to 1 (hardest)")

    def between(easy: float, hard: float) -> float:
        return easy + (hard - easy) * difficulty

    return Knobs(
        clutter=difficulty,
        backdrop=between(0.15, 1.0),
        busy=between(0.15, 1.0),
        glass=difficulty,
        mirror=difficulty,
        roughest_mirror=between(0.35, 0.08),
        lying=difficulty,
        tilt=between(0.0, 0.3),
        roll=between(1.5, 5.0),
        wild_roll=between(0.0, 0.2),
        least_fill=between(0.84, 0.58),
        wander=between(0.4, 1.0),
        elevation=difficulty,
        hidden_key=difficulty,
        blur=between(0.1, 0.4),
        dim=between(0.3, 1.0),
        unlit=difficulty,
        least_visible=between(0.97, 0.72),
        least_contrast=between(30.0, 18.0),
        grain=between(0.5, 1.0),
    )
