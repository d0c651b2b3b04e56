"""A witness is necessary, rare in what was seen, and stands where looking it up is cheap."""

from hypothesis import given
from hypothesis import strategies as st

from cgii.detect.checks import Atom
from cgii.detect.expressions import AllOf, AnyOf, Expression, NotOf
from cgii.detect.predicates import Kind, Predicate
from cgii.detect.witnesses import Traffic, choose, witness

COUNT = 6
atoms = [Atom(number % 3, Predicate(Kind.CONTAINS, f"text {number}")) for number in range(COUNT)]
sets = st.frozensets(st.integers(0, COUNT - 1), max_size=3)
expressions: st.SearchStrategy[Expression] = st.recursive(
    st.builds(AllOf, sets.filter(bool)) | st.builds(AnyOf, sets.filter(bool)),
    lambda inner: st.one_of(
        st.builds(NotOf, inner),
        st.builds(AllOf, sets, st.lists(inner, min_size=1, max_size=2).map(tuple)),
        st.builds(AnyOf, sets, st.lists(inner, min_size=1, max_size=2).map(tuple)),
    ),
    max_leaves=6,
)


def holds(expression: Expression, true: set[int]) -> bool:
    if isinstance(expression, NotOf):
        return not holds(expression.part, true)
    found = [atom in true for atom in expression.atoms]
    found += [holds(part, true) for part in expression.parts]
    return all(found) if isinstance(expression, AllOf) else any(found)


@given(
    st.lists(expressions, min_size=1, max_size=4),
    st.lists(st.floats(0.001, 1), min_size=COUNT, max_size=COUNT),
    st.lists(st.floats(0, 1e-4), min_size=3, max_size=3),
)
def test_when_a_rule_holds_its_witness_is_true(
    asked: list[Expression], likely: list[float], seconds: list[float]
) -> None:
    chosen = choose(asked, atoms, Traffic(likely, dict(enumerate(seconds))))
    for expression, found in zip(asked, chosen, strict=True):
        if found is None:
            continue
        for number in range(2**COUNT):
            true = {atom for atom in range(COUNT) if number >> atom & 1}
            assert found & true or not holds(expression, true)


def test_the_rarest_part_of_an_and_is_the_witness() -> None:
    likely = [0.5, 0.01, 0.2, 1, 1, 1]
    assert witness(AllOf(frozenset({0, 1, 2})), likely) == (0.01, frozenset({1}))


def test_an_or_is_as_frequent_as_its_parts_together() -> None:
    rule = AllOf(frozenset({0}), (AnyOf(frozenset({1, 2})),))
    assert witness(rule, [0.5, 0.1, 0.1, 1, 1, 1]) == (0.2, frozenset({1, 2}))
    assert witness(rule, [0.15, 0.1, 0.1, 1, 1, 1]) == (0.15, frozenset({0}))


def test_a_not_has_no_witness() -> None:
    assert witness(NotOf(AllOf(frozenset({0}))), [0.1] * COUNT) is None
    assert choose([NotOf(AllOf(frozenset({0})))], atoms, Traffic([0.1] * COUNT, {})) == [None]


def test_a_field_that_costs_more_than_it_spares_is_given_up() -> None:
    both = AllOf(frozenset({0, 1}))  # in places 0 and 1
    other = AllOf(frozenset({4}))  # in place 1, so that this one is looked up in any case
    likely = [0.01, 0.02, 1, 1, 0.01, 1]
    cheap, dear = Traffic(likely, {0: 0.0, 1: 1e-7}), Traffic(likely, {0: 1e-5, 1: 1e-7})
    assert choose([both, other], atoms, cheap) == [frozenset({0}), frozenset({4})]
    assert choose([both, other], atoms, dear) == [frozenset({1}), frozenset({4})]


def test_a_field_is_not_given_up_for_one_that_is_looked_up_nowhere_else() -> None:
    both = AllOf(frozenset({0, 1}))
    likely = [0.01, 0.0100001, 1, 1, 1, 1]
    assert choose([both], atoms, Traffic(likely, {})) == [frozenset({0})]
