"""Decisions at their boundaries: the token more or less at which a plan is another one."""

from __future__ import annotations

import pytest

from memory.policy import (
    FEWEST_SEGMENTS,
    LEAST_NOTES,
    NO_NOTES,
    NOTES_FRAME,
    SEGMENT_FRAME,
    SMALLEST_SEGMENT,
    Budget,
    Notes,
    Plan,
    Policy,
    Sized,
    plan,
    plan_cut,
)

LIMIT = 1_000
BUDGET = Budget(limit=LIMIT, trigger=970, target=500)
POLICY = Policy(budget=LIMIT, target=0.5, floor=0.2, notes=0.3)
WIDE = Budget(limit=100_000, trigger=97_000, target=50_000)
WIDE_POLICY = Policy(target=0.5, floor=0.2, notes=0.3)
WINDOW = 262_144
RESERVE = 8_192


def decide(*parts: Sized, fixed: int = 100, notes: Notes = NO_NOTES, due: bool = False) -> Plan:
    """Return the plan for these parts under a limit of 1,000."""
    return plan(parts, fixed=fixed, notes=notes, budget=BUDGET, policy=POLICY, due=due)


def wide(*parts: Sized, fixed: int = 0, notes: Notes = NO_NOTES) -> Plan:
    """Return the plan for these parts under a limit of 100,000."""
    return plan(parts, fixed=fixed, notes=notes, budget=WIDE, policy=WIDE_POLICY)


def free(*sizes: int) -> list[Sized]:
    """Return parts that may be dropped."""
    return [Sized(size, protected=False) for size in sizes]


def held(*sizes: int) -> list[Sized]:
    """Return parts that may not be dropped."""
    return [Sized(size, protected=True) for size in sizes]


class TestWhen:
    """Whether anything is done."""

    @pytest.mark.parametrize(("size", "action"), [(870, "send"), (871, "compact")])
    def test_the_trigger_itself_is_sent(self, size: int, action: str) -> None:
        """One token more is not."""
        assert action == decide(*free(size - 50), *held(50)).action

    def test_a_plan_says_what_there_is(self) -> None:
        """Every figure of it, of a prompt that is sent and of one that is not."""
        sent = decide(*free(100, 100), *held(50), notes=Notes(120, 10))
        expected = Plan(action="send", reason="fits", tokens=470, projected=470, limit=1_000)
        assert expected == sent

        made = wide(*free(*[5_000] * 20), fixed=1_000)
        assert ("compact", "over the trigger", 101_000, 100_000) == (
            made.action,
            made.reason,
            made.tokens,
            made.limit,
        )
        left = 1_000 + 5_000 * (20 - made.cut)
        assert left + NOTES_FRAME + made.cap + SEGMENT_FRAME == made.projected <= 50_000
        assert made.projected > 45_000
        assert (0, (made.share - made.cap - SEGMENT_FRAME) // 3) == (made.missing, made.spare)

    @pytest.mark.parametrize(("tokens", "missing"), [(900, 0), (901, 1), (1_000, 100)])
    def test_what_may_not_go_is_missing_beyond_the_limit(self, tokens: int, missing: int) -> None:
        """The limit itself is none too much."""
        made = decide(*held(tokens))

        assert ("send", "nothing may be dropped", missing) == (
            made.action,
            made.reason,
            made.missing,
        )

    @pytest.mark.parametrize(("tokens", "action"), [(896, "send"), (897, "compact")])
    def test_notes_alone_shrink_beyond_the_limit(self, tokens: int, action: str) -> None:
        """Up to there they are sent as they are, since nothing else would become smaller."""
        made = decide(*held(tokens - 500), notes=Notes(504, 400))

        assert (action, 0) == (made.action, made.cut)
        assert ("nothing may be dropped" if action == "send" else "over the trigger") == made.reason

    def test_a_compaction_has_to_save_a_tenth_of_the_way(self) -> None:
        """Of that from the trigger to the target, as long as the prompt is within the limit."""
        made = {size: decide(*free(size), *held(880 - size)) for size in range(60, 420, 5)}
        saved = {size: each.tokens - each.projected for size, each in made.items()}
        first = min(size for size, each in made.items() if each.action == "compact")

        assert 47 <= saved[first] < 52
        assert 0 < first < 415
        assert {"too little may be dropped to be worth it"} == {
            each.reason for size, each in made.items() if size < first
        }
        assert all(made[size].action == "compact" for size in made if size >= first)

    def test_over_the_limit_anything_saved_is_worth_it(self) -> None:
        """What brings a prompt under the limit is worth a summary, however little that is."""
        made = decide(*free(250), *held(651))

        assert ("compact", 1_001, 0) == (made.action, made.tokens, made.missing)
        assert made.projected <= LIMIT

    @pytest.mark.parametrize(
        ("size", "action"), [(LEAST_NOTES, "send"), (LEAST_NOTES + 1, "compact")]
    )
    def test_one_token_over_the_limit_is_worth_one_token(self, size: int, action: str) -> None:
        """What saves nothing is not; and within the limit one token is no gain."""
        over = decide(*free(size), *held(901 - size))
        within = decide(*free(size), *held(900 - size))

        assert (1_001, action) == (over.tokens, over.action)
        assert (1_000, "send") == (within.tokens, within.action)

    def test_what_fits_is_sent_unless_somebody_asks(self) -> None:
        """Nothing is compacted before it is due."""
        assert "send" == wide(*free(*[5_000] * 12)).action

    def test_where_the_limit_is_out_of_reach_much_has_to_be_saved(self) -> None:
        """Half the way from the trigger to the target, since it will be asked for every turn."""
        much = decide(*free(235 + LEAST_NOTES), *held(900))
        little = decide(*free(234 + LEAST_NOTES), *held(900))

        assert ("compact", LEAST_NOTES) == (much.action, much.missing)
        assert ("send", "too little may be dropped to be worth it") == (
            little.action,
            little.reason,
        )
        assert little.tokens - LIMIT == little.missing

    def test_what_is_missing_includes_the_least_notes(self) -> None:
        """They have to stand there too; a prompt of exactly the limit misses nothing."""
        fits = decide(*free(900), *held(LIMIT - 100 - LEAST_NOTES))
        not_quite = decide(*free(900), *held(LIMIT - 100 - LEAST_NOTES + 1))

        assert (0, 1) == (fits.missing, not_quite.missing)


class TestWhere:
    """Where the cut is."""

    @pytest.mark.parametrize("due", [False, True])
    def test_no_more_goes_than_has_to(self, *, due: bool) -> None:
        """With one part less the view would not reach the target."""
        made = decide(*free(*[50] * 18), *held(50), due=due)
        shallower = plan_cut(
            [*free(*[50] * 18), *held(50)],
            place=made.cut - 1,
            fixed=100,
            notes=NO_NOTES,
            budget=BUDGET,
            policy=POLICY,
        )

        assert made.projected <= BUDGET.target < shallower.projected

    def test_a_large_part_is_kept_where_its_loss_would_leave_little(self) -> None:
        """Below the floor, as long as the view gets clearly below the trigger without that cut."""
        kept = decide(*free(400, 400), *held(80), fixed=100)
        # What is left is not below the floor of 200 tokens.
        floor = decide(*free(400, 400), *held(100), fixed=100)
        # Without the cut the view would stay within a quarter of the way below the trigger.
        high = decide(*free(150, 650), *held(80), fixed=100)

        assert [1, 2, 2] == [kept.cut, floor.cut, high.cut]

    def test_a_part_that_alone_is_large_goes(self) -> None:
        """There is no cut before it."""
        assert 1 == decide(*free(900), *held(10), fixed=100).cut

    def test_some_stays_verbatim_where_the_target_is_out_of_reach(self) -> None:
        """Six hundredths of the limit more than the least that is possible."""
        made = decide(*free(*[20] * 20), *held(10), fixed=460, notes=Notes(NOTES_FRAME + 50, 50))
        all_gone = plan_cut(
            [*free(*[20] * 20), *held(10)],
            place=20,
            fixed=460,
            notes=Notes(NOTES_FRAME + 50, 50),
            budget=BUDGET,
            policy=POLICY,
        )

        assert all_gone.projected > BUDGET.target
        assert all_gone.projected + 60 - 20 < made.projected <= all_gone.projected + 60

    def test_what_is_held_stays_in_the_projection(self) -> None:
        """Before the cut and after it."""
        made = wide(*held(700), *free(*[5_000] * 20), *held(900), fixed=300)
        gone = sum(1 for index in range(made.cut) if index) * 5_000

        assert 300 + 700 + 900 + 100_000 - gone + NOTES_FRAME + made.cap + SEGMENT_FRAME == (
            made.projected
        )

    @pytest.mark.parametrize("notes", [NO_NOTES, Notes(150, 46)])
    def test_it_is_kept_by_the_cut_right_before(self, notes: Notes) -> None:
        """Where notes stand there already, what is left is not below the floor."""
        made = decide(*free(200, 200, 480), fixed=100, notes=notes)

        assert (2 if notes == NO_NOTES else 3) == made.cut

    def test_it_is_kept_where_the_view_gets_clearly_below_the_trigger(self) -> None:
        """By a quarter of the way to the target."""
        clearly = BUDGET.trigger - (BUDGET.trigger - BUDGET.target) // 4
        for size in range(150, 400):
            parts = free(size, 880 - size)
            before = plan_cut(
                parts, place=1, fixed=100, notes=NO_NOTES, budget=BUDGET, policy=POLICY
            )

            assert (1 if before.projected <= clearly else 2) == decide(*parts).cut

    @pytest.mark.parametrize("fixed", [440, 500, 520, 540])
    def test_what_stays_verbatim_leaves_half_the_way(self, fixed: int) -> None:
        """Not so much that the view would be above the middle between target and trigger."""
        parts, notes = [*free(*[5] * 80), *held(10)], Notes(NOTES_FRAME + 50, 50)
        made = decide(*parts, fixed=fixed, notes=notes)
        middle = BUDGET.trigger - (BUDGET.trigger - BUDGET.target) // 2
        deepest = plan_cut(
            parts, place=80, fixed=fixed, notes=notes, budget=BUDGET, policy=POLICY
        ).projected

        assert BUDGET.target < deepest < middle
        assert made.projected <= min(deepest + 60, middle) < made.projected + 5


class TestHowLong:
    """How long the segments may be."""

    def test_a_small_limit_leaves_each_a_third(self) -> None:
        """Of the share of all, less what stands around each."""
        made = decide(*free(*[50] * 18), *held(50))

        assert (300, 300 // FEWEST_SEGMENTS - SEGMENT_FRAME) == (made.share, made.cap)
        assert (300 - made.cap - SEGMENT_FRAME) // 3 == made.spare

    def test_what_earlier_segments_leave_is_spare(self) -> None:
        """A third of it, and nothing where they have more than their share."""
        some = wide(*free(*[5_000] * 20), notes=Notes(NOTES_FRAME + 9_000, 9_000))
        full = wide(*free(*[5_000] * 20), notes=Notes(NOTES_FRAME + 29_000, 29_000))

        assert (30_000 - 9_000 - some.cap - SEGMENT_FRAME) // 3 == some.spare
        assert (30_000, 0) == (full.share, full.spare)

    @pytest.mark.parametrize("size", [81, 95, 120])
    def test_no_summary_is_longer_than_three_fifths(self, size: int) -> None:
        """Of what it stands for, down to the least that says something."""
        made = plan_cut(
            free(size), place=1, fixed=100, notes=NO_NOTES, budget=BUDGET, policy=POLICY
        )

        assert max(SMALLEST_SEGMENT, size * 3 // 5) == made.cap

    def test_segments_never_have_less_than_the_least(self) -> None:
        """Where there is no room at all, one short segment is planned for."""
        made = decide(*free(500), *held(900))

        assert (SMALLEST_SEGMENT, SMALLEST_SEGMENT + SEGMENT_FRAME) == (made.cap, made.share)
        assert 100 + 900 + LEAST_NOTES == made.projected

    def test_quotes_give_way_to_the_trigger(self) -> None:
        """Down to the frame of the notes; what is pinned among them does not give way."""
        parts = [*free(300), *held(650)]
        gives, holds = (decide(*parts, notes=Notes(400, 0, pinned)) for pinned in (0, 60))
        bare = decide(*free(300), *held(750), notes=Notes(400, 0, 0))

        assert BUDGET.trigger == gives.projected
        assert 100 + 650 + LEAST_NOTES + 60 == holds.projected
        assert 100 + 750 + LEAST_NOTES == bare.projected

    def test_quotes_that_have_room_are_counted(self) -> None:
        """They stay in the notes beside the segments."""
        made = wide(*free(*[5_000] * 20), notes=Notes(3_000, 1_000))
        left = 5_000 * (20 - made.cut)

        assert left + 2_000 + 1_000 + made.cap + SEGMENT_FRAME == made.projected

    @pytest.mark.parametrize(("oversize", "share"), [("raise", 72), ("send", 162)])
    def test_where_too_much_is_sent_the_notes_keep_their_room(
        self, oversize: str, share: int
    ) -> None:
        """What may be sent over the limit does not take it from them."""
        policy = Policy(target=0.5, floor=0.2, notes=0.3, oversize=oversize)  # type: ignore[arg-type]
        made = plan(
            [*free(600), *held(900)],
            fixed=269,
            notes=NO_NOTES,
            budget=BUDGET,
            policy=policy,
        )

        assert share == made.share
