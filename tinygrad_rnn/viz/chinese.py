"""The words of pictures, plots and pages in Chinese."""

CHINESE = {
    "forget gate {n}": "遗忘门 {n}",
}
