"""Parts of the 478-point face mesh, as tuples of vertex numbers.

Left and right are the picture's: LEFT_EYE is the eye with the smaller x, the person's right one.
Rings are closed and ordered; each comment says where the ring starts and which way it runs.
"""

from __future__ import annotations

INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
"""Edge of the mouth's opening: left corner, upper lip, right corner (index 10), lower lip."""
UPPER_LIP, LOWER_LIP = INNER_LIPS[5], INNER_LIPS[15]
"""Middle of the mouth's opening: lower edge of the upper lip, upper edge of the lower lip."""
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
"""Edge between lips and skin, vertex for vertex opposite INNER_LIPS."""
MOUTH_CORNERS = (61, 291)

LEFT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
"""Edge of the eyelids: outer corner, upper lid, inner corner (index 8), lower lid."""
RIGHT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
"""Mirror image of LEFT_EYE, so it runs the other way round in the picture."""
LEFT_EYE_CORNERS = (33, 133)
RIGHT_EYE_CORNERS = (263, 362)
OUTER_EYE_CORNERS = (33, 263)
"""Their distance is the unit in which faces are measured."""

FIVE_POINTS = (LEFT_EYE, RIGHT_EYE, (4,), (61,), (291,))
"""Vertices whose mean each of five points is: the eye on the picture's left, the other eye, nose tip, mouth corners. An
eye is the middle of its lids: the iris moves with the gaze."""

LEFT_IRIS = (468, 469, 470, 471, 472)
"""Centre, then four points of the edge."""
RIGHT_IRIS = (473, 474, 475, 476, 477)

LEFT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
"""Upper edge from outside to inside, then lower edge back."""
RIGHT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)

FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Outline of the mesh: middle of the forehead, down the picture's right side, chin (index 18), up the left side."""

CHIN = (152, 148, 377, 176, 400, 171, 396, 175, 199, 208, 428, 140, 369)
"""Points that follow the lower jaw and hardly anything else."""

STABLE = (
    33, 263, 133, 362, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 10, 67, 297, 103, 332, 54, 284,
    21, 251, 162, 389, 127, 356, 234, 454, 93, 323,
)  # fmt: skip
"""Points of the upper face and nose that expressions move least: they tell how the head moves."""
