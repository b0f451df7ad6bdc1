"""Chrono initialisation against a forget bias of 1 over 100 steps, once more, by plain PyTorch.

    python tests/replicate/chrono.py [SEED ...]

Shares no code with the package or with its tests: `torch.nn.LSTM`, `torch.optim.Adam`, and tasks of
its own, so that what chapter 7 finds cannot be a fault of the book's engine. Each start has the
learning rate that the chapter's own tuning picked for it. Prints a row for each run: the sequences
until the first of three looks in a row that meet the task's criterion, 0 for not within the budget.
What came out is committed beside it, with ten seeds, and `tests/experiments/test_replicate.py`
reads the chapter's claim off it.
"""

import sys

import torch

STEPS, BATCH, UNITS, LAG, LOOK, CLIP = 2000, 20, 20, 100, 50, 1.0
FIELDS = "task,start,rate,seed,solved_at"
PLACES = [
    ("adding", "forget bias 1", 0.03),
    ("adding", "chrono", 0.1),
    ("temporal order", "forget bias 1", 0.001),
    ("temporal order", "chrono", 0.1),
]


def adding(n: int, generator: torch.Generator):
    """Return values and two marks, one in each half, (T, n, 2), and the marked sum, (n, 1)."""
    x = torch.zeros(LAG, n, 2)
    x[:, :, 0] = torch.rand(LAG, n, generator=generator)
    total = torch.zeros(n, 1)
    for half in (0, LAG // 2):
        at = half + torch.randint(LAG // 2, (n,), generator=generator)
        x[at, torch.arange(n), 1] = 1
        total[:, 0] += x[at, torch.arange(n), 0]
    return x, total


def temporal_order(n: int, generator: torch.Generator):
    """Return letters one-hot, (T, n, 7), and which of X and Y came first and which second, (n,).

    Four distractors; an X or Y at a random step of the second tenth and one of the sixth.
    """
    letters = torch.randint(4, (LAG, n), generator=generator)
    answer = torch.zeros(n, dtype=torch.long)
    for start in (LAG // 10, LAG // 2):
        which = torch.randint(2, (n,), generator=generator)
        at = start + torch.randint(LAG // 10, (n,), generator=generator)
        letters[at, torch.arange(n)] = 4 + which
        answer = 2 * answer + which
    letters[-1] = 6
    return torch.nn.functional.one_hot(letters, 7).float(), answer


def solved(task: str, y: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Tell whether answers meet the criterion: 95 % of the variance, or 99 % of the orders."""
    if task == "adding":
        return bool(torch.mean((y - wanted) ** 2) * 6 <= 0.05)  # the sum has a variance of 1/6
    return bool((y.argmax(dim=1) == wanted).float().mean() >= 0.99)


def solved_at(task: str, start: str, rate: float, seed: int, steps: int = STEPS) -> int:
    """Return how many sequences an LSTM has seen when it has solved the task, 0 for never."""
    torch.manual_seed(seed)
    draw = {"adding": adding, "temporal order": temporal_order}[task]
    inputs, outputs = {"adding": (2, 1), "temporal order": (7, 4)}[task]
    lstm, head = torch.nn.LSTM(inputs, UNITS), torch.nn.Linear(UNITS, outputs)
    with torch.no_grad():
        for weights in lstm.weight_hh_l0.chunk(4):
            torch.nn.init.orthogonal_(weights)
        for weights in lstm.weight_ih_l0.chunk(4):
            torch.nn.init.xavier_uniform_(weights)
        for bias in (lstm.bias_ih_l0, lstm.bias_hh_l0, head.bias):
            bias.zero_()
        input_bias, forget_bias, _, _ = lstm.bias_ih_l0.chunk(4)
        if start == "chrono":  # Tallec and Ollivier 2018, told the lag
            forget_bias.copy_(torch.log(1 + torch.rand(UNITS) * (LAG - 2)))
            input_bias.copy_(-forget_bias)
        else:
            forget_bias.fill_(1)
    lstm.bias_hh_l0.requires_grad_(
        False
    )  # a second bias, which would double the steps of the first
    trained = [p for p in (*lstm.parameters(), *head.parameters()) if p.requires_grad]
    adam = torch.optim.Adam(trained, lr=rate)
    data = torch.Generator().manual_seed(1_000 + seed)
    unseen, answers = draw(512, torch.Generator().manual_seed(2_000 + seed))
    loss = torch.nn.MSELoss() if task == "adding" else torch.nn.CrossEntropyLoss()
    row = 0
    for step in range(1, steps + 1):
        x, wanted = draw(BATCH, data)
        adam.zero_grad()
        loss(head(lstm(x)[0][-1]), wanted).backward()
        torch.nn.utils.clip_grad_norm_(trained, CLIP)
        adam.step()
        if step % LOOK == 0:
            with torch.no_grad():
                met = solved(task, head(lstm(unseen)[0][-1]), answers)
            row = row + 1 if met else 0
            if row == 3:
                return (step - 2 * LOOK) * BATCH
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(FIELDS)
    for seed in map(int, sys.argv[1:] or range(10)):
        for place in PLACES:
            print(*place, seed, solved_at(*place, seed), sep=",", flush=True)
