from sadtalker_pack.sadtalker_core.progress import part_of


def steps_of(**options):
    steps = []
    return steps, [part_of(lambda *step: steps.append(step), part, 2, **options) for part in range(2)]


def test_equal_parts_count_as_they_report():
    steps, (first, second) = steps_of()
    first(1, 4)
    second(4, 4)
    assert steps == [(1, 8), (8, 8)]


def test_parts_with_totals_of_their_own_share_one_scale():
    steps, (first, second) = steps_of(steps=100)
    first(3, 3)
    second(0, 50)
    second(25, 50)
    assert steps == [(100, 200), (100, 200), (150, 200)]


def test_a_longer_part_takes_more_of_the_whole():
    steps = []
    part_of(lambda *step: steps.append(step), 1, 5, length=4)(10, 10)
    assert steps == [(50, 50)]
