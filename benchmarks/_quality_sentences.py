"""Wishes that should hold for the rest of a conversation, as people word them.

They were written without looking at the rules that find such sentences. Three kinds, in English and
Chinese: what the caller pins, what a later system message says, and what a user says in passing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ("KINDS", "LANGUAGES", "PLANTED", "Kind", "Language", "Planted")

Language = Literal["en", "zh"]
Kind = Literal["pinned", "system", "user"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
KINDS: Final[tuple[Kind, ...]] = ("pinned", "system", "user")


@dataclass(frozen=True, slots=True)
class Planted:
    """One wish: who it comes from and its words."""

    kind: Kind
    text: str


_EN_PINNED: Final = (
    "The budget for the move is 4,800 euros, and it is final.",
    "Our landlord is Mr. Havel, and he only reads letters, not e-mails.",
    "Reply to the caterer in French.",
    "The code name of the project is Blue Heron.",
    "Grandma arrives at Terminal 2, gate B14.",
    "Invoices go to accounts@northfold.example and to nobody else.",
    "Keep the tone of the newsletter warm and a little old-fashioned.",
    "Dana is vegan; Theo eats fish on Fridays only.",
    "Numbers in the report are rounded to whole thousands.",
    "The database password is rotated by Ines, so do not touch it.",
    "Quote the original German whenever you cite Rilke.",
    "Meetings with the Osaka team are held at 22:30 our time.",
)
_EN_SYSTEM: Final = (
    "The user is on the Basic plan: offers of the Premium catalogue do not apply.",
    "Refunds above 200 dollars need the approval of a supervisor.",
    "Opening hours over the holidays are 10:00 to 14:00.",
    "Answer in British English.",
    "The user has verified their identity with document type P.",
    "Mention the delivery surcharge of 3.50 pounds with every price.",
    "Do not disclose which supplier makes the lamps.",
    "Orders to Iceland are shipped by sea until further notice.",
    "The escalation contact for this chat is desk 7.",
    "Speak to the user as Ms. Tanaka.",
    "Medical questions are referred to the nurse line, 555-0117.",
    "The promotion SPRING25 ended; it must not be offered again.",
)
_EN_USER: Final = (
    "Please never share my phone number with anyone outside the family.",
    "Always convert prices to euros when you mention them.",
    "From now on, answer me in short paragraphs rather than bullet points.",
    "Never schedule anything for me before nine in the morning.",
    "I'm allergic to peanuts, so never suggest a recipe with nuts in it.",
    "Always ask me before you send an e-mail on my behalf.",
    "Don't ever delete a file without making a backup first.",
    "You should always double-check the dates against my calendar.",
    "Whenever you recommend a restaurant, always tell me whether it has vegetarian dishes.",
    "Never mention my ex-husband in anything you draft for the kids.",
    "Going forward, always sign my letters as Dr. Imani Okafor.",
    "When you book flights for my mother it must always be an aisle seat.",
    "And please, never use emojis when you write to my clients.",
    "If I ask for a summary, always put the open questions first.",
)
_ZH_PINNED: Final = (
    "搬家的预算是三万八千元，不再增加。",
    "房东姓沈，他只看纸质信件，不看邮件。",
    "给供应商的回信用英文写。",
    "这个项目的代号叫青鸟。",
    "外婆在二号航站楼B14登机口出来。",
    "发票只寄到财务部王敏那里。",
    "简报的语气要温和，略带一点旧派。",
    "小丹吃素，小涛只在周五吃鱼。",
    "报告里的数字都精确到千位。",
    "数据库的密码由伊宁轮换，别去动它。",
    "引用鲁迅的时候请附上原文出处。",
    "和大阪团队的会议定在晚上十点半。",
)
_ZH_SYSTEM: Final = (
    "该用户是基础套餐，不适用高级会员的优惠。",
    "超过一千元的退款需要主管批准。",
    "节假日营业时间为上午十点到下午两点。",
    "请用正式的书面语回答。",
    "用户已通过证件类型P的身份验证。",
    "提到价格时须同时说明十五元的配送费。",
    "不得透露灯具的供货厂家。",
    "发往新疆的订单在另行通知前改走陆运。",
    "本次会话的升级联系人是七号坐席。",
    "称呼用户为田中女士。",
    "医疗方面的问题转接护士热线5550117。",
    "春季促销已经结束，不得再次提供。",
)
_ZH_USER: Final = (
    "以后每次推荐餐厅都要先告诉我人均消费。",
    "千万不要把我的手机号告诉任何人。",
    "永远不要给我订早上八点以前的火车。",
    "从现在起请一直用简体中文回答我。",
    "我对花生过敏，绝对不要推荐含坚果的菜。",
    "以后都不要给我发语音总结。",
    "每次改动文件之前务必先备份。",
    "报价的时候总是要换算成人民币。",
    "以后别再给我推荐连锁酒店了。",
    "任何时候都不要替我直接付款。",
    "今后写邮件一律署名陈思远。",
    "永远不要在周末给我安排会议。",
    "给我妈订票的时候一定要选下铺。",
    "从今往后不要再用表情符号回复我。",
)

PLANTED: Final[Mapping[Language, Sequence[Planted]]] = {
    "en": [
        *(Planted("pinned", text) for text in _EN_PINNED),
        *(Planted("system", text) for text in _EN_SYSTEM),
        *(Planted("user", text) for text in _EN_USER),
    ],
    "zh": [
        *(Planted("pinned", text) for text in _ZH_PINNED),
        *(Planted("system", text) for text in _ZH_SYSTEM),
        *(Planted("user", text) for text in _ZH_USER),
    ],
}
"""All wishes by language, kind after kind; every text once."""
