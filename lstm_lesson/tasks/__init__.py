"""What is learned: synthetic tasks, those of the papers, and the Reber grammar."""

from lstm_lesson.tasks.synthetic import TASKS, Task, task

# The few sentences that come back through the book, from its first states to gates set by hand.
STORY = 'Dog bites man. "Man bites dog," says the paper. "Lies," says the dog.'

__all__ = ["STORY", "TASKS", "Task", "task"]
