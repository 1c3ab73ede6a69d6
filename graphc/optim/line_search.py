"""The search along a direction for a step that meets the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphc.storage import Array

Evaluate = Callable[[Any], tuple[float, Array]]
"""Given the length of a step, the loss there and its gradient."""


@dataclass(frozen=True)
class Point:
    """What is known of a step: its length, the loss, its gradient and its slope."""

    step: Any
    loss: float
    gradient: Array
    slope: Any


def minimum_of_cubic(a: Point, b: Point, bounds: tuple[Any, Any] | None = None) -> Any:
    """Where the cubic through both points, with their slopes, is least within the bounds."""
    low, high = bounds or sorted((a.step, b.step))
    first = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = first**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    root = math.sqrt(square)
    if a.step > b.step:
        a, b = b, a
    share = (b.slope + root - first) / (b.slope - a.slope + 2 * root)
    return min(max(b.step - (b.step - a.step) * share, low), high)


class Search:
    """A search along ``direction`` from a point at which the loss falls."""

    decrease = 1e-4
    """The share of the decrease that the slope promises which must be met."""
    flattening = 0.9
    """The share of the slope at the start that may remain."""

    def __init__(self, evaluate: Evaluate, direction: Array, start: Point, limit: int) -> None:
        self.evaluate, self.direction, self.start, self.limit = evaluate, direction, start, limit
        self.evaluations = self.rounds = 0

    def at(self, step: Any) -> Point:
        """The loss and its slope after a step of this length."""
        loss, gradient = self.evaluate(step)
        self.evaluations += 1
        return Point(step, loss, gradient, gradient @ self.direction)

    def too_high(self, point: Point) -> bool:
        """Whether the loss has not fallen enough."""
        promised = self.decrease * point.step * self.start.slope
        return bool(point.loss > self.start.loss + promised)

    def flat(self, point: Point) -> bool:
        """Whether the slope has become small enough."""
        return bool(abs(point.slope) <= -self.flattening * self.start.slope)

    def run(self, step: Any, tolerance: float) -> Point:
        """The step found, after one of length ``step`` was tried first."""
        bracket = self.bracket(step)
        return bracket[0] if len(bracket) == 1 else self.zoom(bracket, tolerance)

    def bracket(self, step: Any) -> list[Point]:
        """A step that will do, or two between which there is one."""
        before, point = self.start, self.at(step)
        while self.rounds < self.limit:
            if self.too_high(point) or (self.rounds > 1 and point.loss >= before.loss):
                return [before, point]
            if self.flat(point):
                return [point]
            if point.slope >= 0:
                return [before, point]
            near = point.step + 0.01 * (point.step - before.step)
            step = minimum_of_cubic(before, point, (near, point.step * 10))
            before, point = point, self.at(step)
            self.rounds += 1
        return [self.start, point]

    def zoom(self, bracket: list[Point], tolerance: float) -> Point:
        """The better one of the two steps closed in on."""
        low = int(bracket[0].loss > bracket[1].loss)
        longest, slow = abs(self.direction).max(), False
        while self.rounds < self.limit:
            if abs(bracket[1].step - bracket[0].step) * longest < tolerance:
                break
            step, slow = _inside(minimum_of_cubic(bracket[0], bracket[1]), bracket, slow=slow)
            point = self.at(step)
            self.rounds += 1
            best, other = bracket[low], bracket[1 - low]
            if self.too_high(point) or point.loss >= best.loss:
                bracket[1 - low] = point
                low = int(bracket[0].loss > bracket[1].loss)
                continue
            if self.flat(point):
                return point
            if point.slope * (other.step - best.step) >= 0:
                bracket[1 - low] = best
            bracket[low] = point
        return bracket[low]


def _inside(step: Any, bracket: list[Point], *, slow: bool) -> tuple[Any, bool]:
    """The step, moved away from an end that was near before; and whether it is near one now."""
    least, most = sorted(point.step for point in bracket)
    margin = 0.1 * (most - least)
    if min(most - step, step - least) >= margin:
        return step, False
    if not slow and least < step < most:
        return step, True
    nearer_most = abs(step - most) < abs(step - least)
    return most - margin if nearer_most else least + margin, False
