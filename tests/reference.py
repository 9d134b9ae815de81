"""Slow and obvious: every formula as its sentence says, for small inputs."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from xtoken_core.matrix import Options
from xtoken_core.sequence import TokenSequence


def cheapest(student: TokenSequence, teacher: TokenSequence) -> tuple[int, int, int]:
    """(unmatched tokens, unmatched marks, -exact chunks) of the best alignment, by trying every one."""
    mark_s = {mark.position: mark.role for mark in student.marks}
    mark_t = {mark.position: mark.role for mark in teacher.marks}

    def is_exact(i: int, stop_i: int, j: int, stop_j: int) -> bool:
        if i in mark_s or j in mark_t:
            return stop_i == i + 1 and stop_j == j + 1 and mark_s.get(i) == mark_t.get(j)
        if any(k in mark_s for k in range(i, stop_i)) or any(k in mark_t for k in range(j, stop_j)):
            return False
        return student.bytes_between(i, stop_i) == teacher.bytes_between(j, stop_j)

    @cache
    def best(i: int, j: int) -> tuple[int, int, int]:
        ways = []
        if i == len(student) and j == len(teacher):
            return 0, 0, 0
        if i < len(student):
            ways.append(plus(best(i + 1, j), int(i not in mark_s), int(i in mark_s), 0))
        if j < len(teacher):
            ways.append(plus(best(i, j + 1), int(j not in mark_t), int(j in mark_t), 0))
        for stop_i in range(i + 1, len(student) + 1):
            for stop_j in range(j + 1, len(teacher) + 1):
                if is_exact(i, stop_i, j, stop_j):
                    ways.append(plus(best(stop_i, stop_j), 0, 0, -1))
        return min(ways)

    return best(0, 0)


def plus(cost: tuple[int, int, int], tokens: int, marks: int, chunks: int) -> tuple[int, int, int]:
    return cost[0] + tokens, cost[1] + marks, cost[2] + chunks


def common_boundaries(student: TokenSequence, teacher: TokenSequence) -> int:
    """How many bytes after the first are an end of a token of both sides."""
    return len(set(student.ends.tolist()) & set(teacher.ends.tolist()) - {0})


def slow_vocabulary(spec: Mapping[str, Any]) -> dict[int, bytes]:
    """The bytes of every id of a parsed tokenizer.json, read letter by letter; b"" for a special token."""
    pieces = spec["model"].get("byte_fallback")
    byte_of = {letter: byte for byte, letter in gpt2_letters()}
    spelled = {
        token: piece_bytes(form) if pieces else bytes([byte_of[letter] for letter in form])
        for form, token in spec["model"]["vocab"].items()
    }
    for token in spec["added_tokens"]:
        spelled[token["id"]] = b"" if token["special"] else token["content"].encode()
    return spelled


def piece_bytes(form: str) -> bytes:
    if form.startswith("<0x") and form.endswith(">") and len(form) == 6:
        return bytes.fromhex(form[3:5])
    return form.replace("▁", " ").encode()


def gpt2_letters() -> Iterator[tuple[int, str]]:
    """(byte, letter), 256 of them: a byte that can't be printed is the next unused letter from U+0100 on."""
    unused = iter(range(256, 512))
    for byte in range(256):
        printed = chr(byte).isprintable() and not chr(byte).isspace()
        yield byte, chr(byte) if printed else chr(next(unused))


def slow_pieces(spec: Mapping[str, Any], data: bytes) -> list[int]:
    """The ids of a byte-level BPE that cuts no words: its first merge, leftmost, again and again."""
    vocabulary = spec["model"]["vocab"]
    merges = [(left, right) for left, right in spec["model"]["merges"]]
    letter_of = dict(gpt2_letters())
    pieces = [letter_of[byte] for byte in data]
    if not set(pieces) <= set(vocabulary):
        return []
    while found := [(merges.index(pair), k) for k, pair in enumerate(pairwise(pieces)) if pair in merges]:
        _, k = min(found)
        pieces[k : k + 2] = ["".join(pieces[k : k + 2])]
    return [vocabulary[piece] for piece in pieces]


class SlowRow(NamedTuple):
    """One row of W: how it was made, of how many pieces, what was cut off, and the weight of each teacher token."""

    rule: str
    pieces: int
    trimmed: float
    weights: dict[int, float]


def slow_row(data: bytes, teacher: Mapping[str, Any], options: Options) -> SlowRow:
    """The two passes, for a student token that isn't special and a teacher without two ids for the same bytes."""
    same = [token for token, other in slow_vocabulary(teacher).items() if other == data and data]
    if same:
        return SlowRow("exact", 1, 0, {same[0]: 1.0})
    pieces = slow_pieces(teacher, data)
    too_long = len(pieces) > options.max_pieces and options.long == "drop"
    if not pieces or too_long:
        return SlowRow("empty", len(pieces), 0, {})
    return SlowRow("multi", len(pieces), *slow_weights(pieces, options))


def slow_weights(pieces: Sequence[int], options: Options) -> tuple[float, dict[int, float]]:
    """What is trimmed, and the weights of what is left: β·γ^i, of which the first pieces and the K heaviest stay."""
    powers = [options.beta * options.gamma**k for k in range(len(pieces))]
    weights: dict[int, float] = {}
    for piece, power in list(zip(pieces, powers, strict=True))[: options.max_pieces]:
        weights[piece] = weights.get(piece, 0) + power / sum(powers)
    by_weight = sorted(weights, key=lambda piece: -weights[piece])  # stable: of equals the earlier piece
    kept = {piece: weights[piece] for piece in by_weight[: options.top_k]}
    return 1 - sum(kept.values()), {piece: weight / sum(kept.values()) for piece, weight in kept.items()}


def pairs_of_equal_bytes(student: Mapping[int, bytes], teacher: Mapping[int, bytes]) -> dict[int, set[int]]:
    """student id -> the teacher ids of the same bytes, by a walk down both vocabularies in the order of their bytes."""
    left = sorted((data, token) for token, data in student.items() if data)
    right = sorted((data, token) for token, data in teacher.items() if data)
    pairs: dict[int, set[int]] = {}
    j = 0
    for data, token in left:
        while j < len(right) and right[j][0] < data:
            j += 1
        for k in range(j, len(right)):
            if right[k][0] != data:
                break
            pairs.setdefault(token, set()).add(right[k][1])
    return pairs


class Wish(NamedTuple):
    """What one student token brings to the contest for a teacher token."""

    teacher: int
    weight: float
    exact: bool
    canonical: bool


def slow_contest(wishes: Sequence[Wish], threshold: float) -> dict[int, int]:
    """student -> teacher: for each teacher token in turn, the one student token that no other beats."""
    pairs = {}
    for teacher in {wish.teacher for wish in wishes}:
        rivals = [k for k, wish in enumerate(wishes) if wish.teacher == teacher and 0 < wish.weight >= threshold]
        for student in rivals:
            if not any(beats(wishes, other, student) for other in rivals):
                pairs[student] = teacher
    return pairs


def beats(wishes: Sequence[Wish], one: int, other: int) -> bool:
    ours, theirs = wishes[one], wishes[other]
    if ours.weight != theirs.weight:
        return ours.weight > theirs.weight
    if ours.exact != theirs.exact:
        return ours.exact
    if ours.canonical != theirs.canonical:
        return ours.canonical
    return one < other


# the losses: one chunk at a time, every probability as its logarithm, so that 0 is -inf and nothing underflows

NEVER = -math.inf

Floats = list[float]
Pairs = list[tuple[float, float]]
SlowDivergence = Callable[[Pairs], float]


def log_softmax(logits: Sequence[float], temperature: float) -> Floats:
    scaled = [logit / temperature for logit in logits]
    total = log_add(scaled)
    return [one - total for one in scaled]


def log_add(logs: Sequence[float]) -> float:
    """log Σ e^x, -inf over nothing."""
    highest = max(logs, default=NEVER)
    if highest == NEVER:
        return NEVER
    return highest + math.log(math.fsum(math.exp(one - highest) for one in logs))


class SlowMass(NamedTuple):
    """One side of a chunk: the log mass of each token, of the chunk as realised (chain alone has it), and of all."""

    tokens: Floats
    realised: float | None
    total: float


def slow_mass(
    merge: str, rows: Sequence[Sequence[float]], tokens: Sequence[int], temperature: float, geometric: bool
) -> SlowMass:
    """One side of a chunk, from the rows of logits that predict its tokens. geometric: how `mean` takes the mean."""
    log_p = [log_softmax(row, temperature) for row in rows]
    chosen = [row[token] for row, token in zip(log_p, tokens, strict=True)]
    realised = None
    if merge == "chain":
        found, realised = list(log_p[0]), sum(chosen)
        found[tokens[0]] = chosen[0] + log_otherwise(log_p[1:], tokens[1:])  # p(x) - r = p(x) (1 - r / p(x))
    elif merge == "scaled":
        found = [one + sum(chosen[1:]) for one in log_p[0]]
    elif merge == "first":
        found = log_p[0]
    elif merge == "last":
        found = [one + sum(chosen[:-1]) for one in log_p[-1]]
    elif geometric:
        found = [sum(column) / len(rows) for column in zip(*log_p, strict=True)]
    else:
        found = [log_add(column) - math.log(len(rows)) for column in zip(*log_p, strict=True)]
    return SlowMass(found, realised, log_add(found if realised is None else [*found, realised]))


def log_otherwise(log_p: Sequence[Sequence[float]], tokens: Sequence[int]) -> float:
    """log of 1 - Π p_i(x_i): the tokens go on as they stand up to some i, which is another token than x_i."""
    ways = []
    for i, (row, token) in enumerate(zip(log_p, tokens, strict=True)):
        before = sum(earlier[x] for earlier, x in zip(log_p[:i], tokens[:i], strict=True))
        ways.append(before + log_add([one for v, one in enumerate(row) if v != token]))
    return log_add(ways)


def slow_kl(pairs: Pairs) -> float:
    """Σ b (log b - log a) over pairs (log a, log b), of the outcomes that neither side rules out."""
    return math.fsum(math.exp(b) * (b - a) for a, b in pairs if a > NEVER and b > NEVER)


def slow_forward(pairs: Pairs) -> float:
    return slow_kl(pairs)


def slow_reverse(pairs: Pairs) -> float:
    return slow_kl([(teacher, student) for student, teacher in pairs])


def slow_jsd(beta: float) -> SlowDivergence:
    """β KL(T ‖ m) + (1 - β) KL(S ‖ m) with m = β T + (1 - β) S."""

    def jsd(pairs: Pairs) -> float:
        mixed = [log_add([math.log(beta) + teacher, math.log(1 - beta) + student]) for student, teacher in pairs]
        of_teacher = slow_kl([(m, teacher) for m, (_, teacher) in zip(mixed, pairs, strict=True)])
        of_student = slow_kl([(m, student) for m, (student, _) in zip(mixed, pairs, strict=True)])
        return beta * of_teacher + (1 - beta) * of_student

    return jsd


class SlowW(NamedTuple):
    """W: for each student token the log weight of each teacher token in its row, and how many columns there are."""

    rows: Sequence[Mapping[int, float]]
    columns: int

    def reached(self) -> list[int]:
        return sorted({column for row in self.rows for column in row})

    def project(self, log_p: Sequence[float]) -> Floats:
        """log Wᵀp of each column."""
        arriving: list[Floats] = [[] for _ in range(self.columns)]
        for one, row in zip(log_p, self.rows, strict=True):
            for column, log_weight in row.items():
                arriving[column].append(one + log_weight)
        return [log_add(logs) for logs in arriving]

    def lost(self, log_p: Sequence[float]) -> float:
        return math.fsum(math.exp(one) for one, row in zip(log_p, self.rows, strict=True) if not row)


class SlowLoss(NamedTuple):
    """A chunk's loss, and the mass on either side that takes no part in it."""

    value: float
    unreachable: float = 0
    lost: float = 0


def slow_projected(
    student: SlowMass,
    teacher: SlowMass,
    w: SlowW,
    *,
    divergence: SlowDivergence = slow_forward,
    temperature: float = 1,
    direction: str = "to_teacher",
    top_k: int | None = None,
) -> SlowLoss:
    """P-KL: what W reaches is compared, what it doesn't is reported."""
    reached = w.reached()
    if direction == "to_teacher":
        sent = w.project(student.tokens)
        pairs = [(sent[t], teacher.tokens[t]) for t in reached]
        missed = math.fsum(math.exp(log_q) for t, log_q in enumerate(teacher.tokens) if t not in reached)
        lost = w.lost(student.tokens)
    else:
        sent = w.project(teacher.tokens)
        pairs = [(student.tokens[s], sent[s]) for s in reached]
        missed = w.lost(teacher.tokens)
        lost = math.fsum(math.exp(log_p) for s, log_p in enumerate(student.tokens) if s not in reached)
    return _renormalised(student, teacher, pairs, missed, lost, divergence, temperature, top_k)


def slow_same(
    student: SlowMass, teacher: SlowMass, *, divergence: SlowDivergence = slow_forward, temperature: float = 1
) -> SlowLoss:
    """One vocabulary: token by token."""
    pairs = list(zip(student.tokens, teacher.tokens, strict=True))
    return _renormalised(student, teacher, pairs, 0, 0, divergence, temperature, None)


def _renormalised(
    student: SlowMass,
    teacher: SlowMass,
    pairs: Pairs,
    missed: float,
    lost: float,
    divergence: SlowDivergence,
    temperature: float,
    top_k: int | None,
) -> SlowLoss:
    """(1 - u) · D(teacher renormalised over what is reached ‖ student), u a share of the teacher's mass."""
    last = [] if student.realised is None or teacher.realised is None else [(student.realised, teacher.realised)]
    impossible = math.fsum(math.exp(log_q) for log_p, log_q in pairs + last if log_p == NEVER)
    pairs = [(log_p, log_q if log_p > NEVER else NEVER) for log_p, log_q in pairs]
    last = [(log_p, log_q) for log_p, log_q in last if log_p > NEVER]
    log_reached = log_add([log_q for _, log_q in pairs + last]) - teacher.total if teacher.total > NEVER else NEVER
    if log_reached == NEVER:
        return SlowLoss(0, missed + impossible, lost)
    compared = (pairs if top_k is None else bucketed(pairs, top_k)) + last
    renormalised = [(log_p, log_q - log_reached) for log_p, log_q in compared]
    value = temperature**2 * math.exp(log_reached) * divergence(renormalised)
    return SlowLoss(value, missed + impossible, lost)


def bucketed(pairs: Pairs, k: int) -> Pairs:
    """The k pairs that the teacher thinks likeliest, and all others as one outcome."""
    ranked = sorted(pairs, key=lambda pair: -pair[1])
    rest = log_add([log_p for log_p, _ in ranked[k:]]), log_add([log_q for _, log_q in ranked[k:]])
    return [*ranked[:k], rest]


def slow_hybrid(
    student: SlowMass,
    teacher: SlowMass,
    common: Sequence[tuple[int, int]],
    *,
    divergence: SlowDivergence = slow_forward,
    temperature: float = 1,
) -> SlowLoss:
    """`divergence` over the pairs, students of one teacher token summed; L1 of the sorted rest."""
    pairs = []
    for teacher_token in sorted({t for _, t in common}):
        together = log_add([student.tokens[s] for s, t in common if t == teacher_token])
        pairs.append((together, teacher.tokens[teacher_token]))
    if student.realised is not None and teacher.realised is not None:
        pairs.append((student.realised, teacher.realised))
    outside_s = rest_of(student.tokens, {s for s, _ in common})
    outside_t = rest_of(teacher.tokens, {t for _, t in common})
    longest = max(len(outside_s), len(outside_t))
    outside_s += [0.0] * (longest - len(outside_s))
    outside_t += [0.0] * (longest - len(outside_t))
    sorted_l1 = math.fsum(abs(p - q) for p, q in zip(outside_s, outside_t, strict=True))
    return SlowLoss(temperature**2 * (divergence(pairs) + sorted_l1))


def rest_of(log_mass: Sequence[float], inside: set[int]) -> Floats:
    return sorted((math.exp(one) for token, one in enumerate(log_mass) if token not in inside), reverse=True)


def slow_gradient(of: Callable[[Floats], float], at: Sequence[float], step: float = 3e-5) -> Floats:
    """∂ of(x) / ∂ x_k by central differences, correct to about 1e-9."""
    found = []
    for k, here in enumerate(at):
        moved = [here + side * step for side in (1, -1)]
        high, low = (of([*at[:k], there, *at[k + 1 :]]) for there in moved)
        found.append((high - low) / (moved[0] - moved[1]) if math.isfinite(here) else 0.0)
    return found
