"""Sentences that take a wish back, with the place of the wish they mean, and some that do not.

The rules were fitted to the first of each; what is held out was written afterwards and is only
scored.
"""

from __future__ import annotations

from typing import Final

__all__ = (
    "CHINESE",
    "CHINESE_HELD_OUT",
    "CHINESE_WISHES",
    "ENGLISH",
    "ENGLISH_HELD_OUT",
    "ENGLISH_WISHES",
    "OTHERS",
)

ENGLISH_WISHES: Final = (
    "Never use emojis.",
    "Always quote prices with VAT included.",
    "Call me Dr. Okafor.",
    "Whenever you change a file, show me the diff.",
    "Answer only in Spanish.",
    "Always leave nuts out of recipes.",
    "Never book a middle seat.",
)

ENGLISH: Final = (
    ("You can drop the diffs now.", 3),
    ("I don't need the VAT included any more.", 1),
    ("It's fine to use emojis again.", 0),
    ("You no longer have to show me the diff after each change.", 3),
    ("Forget the thing about nuts.", 5),
    ("My son outgrew the allergy, so you don't need to leave nuts out any more.", 5),
    ("You may book middle seats again.", 6),
    ("Let's drop the Spanish-only rule.", 4),
    ("Please stop answering in Spanish.", 4),
    ("Stop calling me Dr. Okafor.", 2),
    ("No more Spanish, please.", 4),
    ("Disregard my request about middle seats.", 6),
    ("Actually, never mind what I said about emojis.", 0),
    ("From now on prices without VAT are fine.", 1),
    ("You needn't quote VAT anymore.", 1),
    ("The emoji ban is lifted.", 0),
    ("I take back what I said about the seats.", 6),
    ("There is no need for diffs any longer.", 3),
    ("Cancel the VAT rule.", 1),
    ("Switch back to English, Spanish is no longer necessary.", 4),
)

ENGLISH_HELD_OUT: Final = (
    ("You can use emojis again if you like.", 0),
    ("Please forget my instruction about VAT.", 1),
    ("Just use my first name, you don't have to call me Dr. Okafor anymore.", 2),
    ("I no longer need you to show me the diff.", 3),
    ("You don't need to answer in Spanish from now on.", 4),
    ("Nuts are fine again.", 5),
    ("Ignore what I said earlier about middle seats.", 6),
    ("Please stop quoting prices with VAT.", 1),
    ("I changed my mind about the nuts.", 5),
    ("The rule on middle seats no longer applies.", 6),
    ("It's okay to book a middle seat now.", 6),
    ("No need to show diffs from here on.", 3),
    ("Undo my request about Spanish.", 4),
    ("You can stop showing me diffs.", 3),
    ("Drop my preference about emojis.", 0),
)

CHINESE_WISHES: Final = (
    "永远不要用表情符号。",
    "所有价格一律含税。",
    "请叫我王总。",
    "每次修改文件之前先问我。",
    "以后都用英文回答我。",
    "推荐菜谱时不要放花生。",
    "以后订票一定要靠过道的座位。",
)

CHINESE: Final = (
    ("表情符号可以用了。", 0),
    ("价格不用含税了。", 1),
    ("不用叫我王总了。", 2),
    ("修改文件之前不用再问我了。", 3),
    ("不必再用英文回答。", 4),
    ("菜谱里可以放花生了。", 5),
    ("订票不用非要靠过道的座位了。", 6),
    ("取消含税的要求。", 1),
    ("之前说的不放花生那条作废。", 5),
    ("别再叫我王总了。", 2),
    ("忘掉我之前关于座位的要求吧。", 6),
    ("我改主意了，价格不用含税。", 1),
    ("关于表情符号的规定取消了。", 0),
    ("以后不需要先问我就可以修改文件。", 3),
    ("刚才说的用英文回答不算数。", 4),
    ("现在可以用表情符号了。", 0),
    ("以后不用问我，直接修改文件就行。", 3),
    ("可以不用英文了。", 4),
    ("花生那条规则不用管了。", 5),
    ("座位靠不靠过道都可以了。", 6),
)

CHINESE_HELD_OUT: Final = (
    ("可以给我推荐放花生的菜谱了。", 5),
    ("以后不必含税了。", 1),
    ("不用再称呼我王总。", 2),
    ("改文件不需要先问我了。", 3),
    ("不要再用英文回答我了。", 4),
    ("收回我之前说的含税要求。", 1),
    ("之前那条花生的规定作废。", 5),
    ("你可以用表情符号了。", 0),
    ("订票随便哪个座位都行了。", 6),
    ("忽略我之前关于英文的要求。", 4),
    ("取消靠过道座位的限制。", 6),
    ("前面说的修改文件先问我，现在不用了。", 3),
    ("别再用英文回答了。", 4),
    ("刚才关于含税的要求算了。", 1),
    ("现在起可以继续用表情符号。", 0),
)

OTHERS: Final = (
    "You don't need to thank me.",
    "I forgot the diff at home.",
    "Can I stop the car here?",
    "No need to rush.",
    "I no longer live in Spain.",
    "Do you still use emojis?",
    "My seat was fine.",
    "Prices went up again.",
    "I can't eat nuts any more.",
    "Never mind, I found the file.",
    "我不用现金了。",
    "可以去看电影了吗？",
    "不用谢。",
    "他取消了航班。",
    "我忘了带文件。",
    "花生吃完了。",
    "价格又涨了。",
    "你可以走了。",
    "我不再喝酒了。",
    "座位已经订好了。",
)
