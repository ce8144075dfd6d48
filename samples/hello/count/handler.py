import re
from collections import Counter

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def handle(event, context):
    """Count the words of a text: how many, how many different ones, the favourites, and how long it takes to read."""
    text = event.body.decode("utf-8", errors="replace")
    words = WORD.findall(text.lower())
    favourites = Counter(words).most_common(5)
    return {
        "statusCode": 200,
        "body": {
            "words": len(words),
            "different": len(set(words)),
            "characters": len(text),
            "favourites": [{"word": word, "times": times} for word, times in favourites],
            # A calm reader manages about four words a second.
            "seconds_to_read": round(len(words) / 4),
        },
    }
