"""What is learned: synthetic tasks, those of the papers, and the Reber grammar."""

from lstm_lesson.tasks.synthetic import TASKS, Task, task

__all__ = ["TASKS", "Task", "task"]
