"""What is learned: synthetic tasks, those of the papers, and the Reber grammar."""

from lstm_lesson.tasks.synthetic import TASKS, Task, task

# The few sentences that run through the book: its first states, gates set by hand, coloured text.
STORY = 'Dog bites man. "Man bites dog," says the paper. "Lies," says the dog.'

__all__ = ["STORY", "TASKS", "Task", "task"]
