"""Rules that tell which Chinese sentences of a user are to hold from now on, or no longer.

As in English, a clause has to address the one who answers: it opens with the marker, or only with
words such as 请 or 你 or with the matter it is about before it. A clause about the speaker or
about others is a fact, whatever markers are in it.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ("directs", "takes_back")

_REPLY: Final = r"(?:回答|回复|答复|答案|回应|消息|解释|总结)"
_MATTER: Final = (
    rf"(?:{_REPLY}|代码|注释|变量|函数|命令|提交|日期|时间|金额|价格|数字|数据|单位|货币|温度|语气"
    rf"|语言|标题"
    r"|邮件|报告|报表|日报|周报|表格|列表|文档|文件|图表|链接|引用|来源|格式|翻译|译文|文案|文章"
    r"|段落|句子|称呼|摘要|纪要|清单|建议|推荐|操作|步骤|结果|结论|订单|订票|预算|行程|人名|地名"
    r"|术语|缩写|标点|密码|计算|转账|付款|输出|内容|正文|开头|结尾|部署|测试|备份|票|酒店|餐厅"
    r"|座位)"
)
_LANGUAGE: Final = (
    r"(?:中文|汉语|普通话|英文|英语|日文|日语|韩文|韩语|法文|法语|德文|德语|俄文|俄语|西班牙语"
    r"|葡萄牙语"
    r"|意大利语|阿拉伯语|泰语|越南语|粤语|广东话|四川话|闽南语|文言文|白话文?|繁体(?:中文|字)?"
    r"|简体(?:中文|字)?)"
)
_STYLE: Final = (
    r"(?:表情|颜文字|emoji|标点|感叹号|省略号|客套|废话|套话|官话|英文|英语|缩写|表格|列表|项目符号"
    r"|注释|标题|markdown|粗体|加粗|前缀|后缀|免责|敬语|网络用语|流行语|脏话|术语|专业词|成语|比喻"
    r"|道歉|抱歉|姓|全名|链接|代码块|繁体|拼音|“|”|\ue000)"
)
_OPENING: Final = re.compile(
    r"(?:我(?:真的|很)?(?:希望|要求)(?=以后|今后|往后|日后|从|所有|每)|请(?!勿|假|客)|麻烦|拜托"
    r"|劳驾|烦请|还请|敬请|务请|你们?(?!好)|您(?!好)|我(?:真的|很)?(?:希望|要求|要|想让|想要|需要"
    r"|恳请|请|求)(?:你们?|您)|希望(?:你们?|您)?|要求(?:你们?|您)|还有|另外|此外|对了|好的?|嗯+"
    r"|那么?|所以|因此|总之|总的来说|但是?|不过|可是|而且|并且|也|再强调一遍|补充一点|顺便(?:说一下"
    r"|提一下|说一句)?|最后|首先|第[一二三四五]|其次|同时|还|记住|记得|切记|注意|提醒(?:你|您)?"
    r"|规则|重要|就|只(?!要|有)|得|应该|应当|需要|要(?!不|求|是|么)|可以|能不能|能否|可否|能|帮我"
    r"|给我|跟我|对我|和我|一定|(?:凡是)?(?:所有|全部|任何)(?:的)?)*[\s:：]*"
)
_FUTURE: Final = (
    r"(?:从今(?:以后|往后|天起|天开始|日起|后)|从(?:现在|今天|这一刻|此刻|明天|后天|[下本这]周.?"
    r"|[下本这]个?月|.{1,6}[日号])(?:起|开始)|从此(?:以后)?|今后|往后|日后|以后|之后(?=都|请|你|每)"
    r"|接下来的?(?:所有)?(?:对话|聊天|回答|交流|回复|日子|时间)(?:里|中)?|下次(?:起|开始)|自今(?:日"
    r"|天)起|现在(?:起|开始)|将来(?=请|你|都|不要|别))"
)
_MUST: Final = (
    r"(?:一律|务必|必须(?!的|什么|得|说)|一定(?:要|得|不要|不能|别)|千万(?:不要|别|不能|不可|要"
    r"|记得)|不允许|绝对?(?:不要|不允许|不能|不可以?|不准|不许|别)|永远(?:不要|别|不能|不准|不许"
    r"|不可以?|要|都?先|都?用)|不许|不准|不得(?!不|了|已)|禁止|严禁|切勿|切忌|请勿|切不可|不可以"
    r"|都(?:必须|要|得|请|不要|别|不能|不许|不准|一律)|任何时候都?|始终都?(?:用|以|保持|按|把|要"
    r"|不要|使用|先|给|附)|总是(?:用|以|先|按|把|要|给|使用|附|保持|提醒|检查|告诉|问|称呼|叫|保留"
    r"|注明|标|列|写|加|核对|确认|选)|永远(?:优先|首选|选|考虑|提醒|检查|告诉|标|列|注明|加|让|留"
    r"|跟|对|拿|当|视|尊重|遵守|保护|保存|备份|核对|确认|问|带|准备|提供|推荐|写|把|以|按|使用|保持"
    r"|给|附|放|在|从|先|用|记住|称呼|叫)|一直(?:用|以|使用|保持|按)|统一(?:用|使用|采用|写|按|为"
    r"|成))"
)
_BAN: Final = re.compile(
    rf"(?:不要|别|勿)(?:再)?(?:(?:用|使用|加|加上|写|说|列|带|带上|出现|夹杂|发|放|附"
    rf"|给我).{{0,12}}{_STYLE}"
    r"|称呼|叫我|喊我|把我(?:的|和|跟|当|叫)|道歉|重复(?:我|问题|自己)|省略|缩写|替我|擅自|自作主张"
    r"|随便|随意|假设|编造|瞎编|胡编|乱编|乱猜"
    r"|猜测?|透露|泄露|自动|翻译|拍马屁|奉承|说教|敷衍|在(?:回答|回复|代码|结尾|开头|末尾|周|晚上"
    r"|夜里|节假日|早上|深夜)|.{0,8}任何|在.{1,12}(?:之前|前|时|的时候|时候|后))"
)
_NO_MORE: Final = re.compile(
    r"(?:别|不要)(?:总是?|老是?|每次|动不动|一直)..|(?:别|不要|不许|不准|不用|不必)再(?!担心|客气"
    r"|哭|难过|犹豫|等|提了|说了|来了|想了|生气|自责|纠结|伤心|拖|熬夜|见|联系我)."
)
_CALL_ME: Final = re.compile(
    r"(?:直接)?(?:叫|称呼|喊)我(?:为|做|作|一声)?(?!的|时|吗|起床|回|去|来|过|吃|出|看|做|一下|怎"
    r"|什么|们|妈|爸|家|朋友)"
    r"[^，。！？的]{1,10}$|管我叫.{1,10}$"
)
_IN_LANGUAGE: Final = re.compile(
    rf"(?:只|全部?|都|尽量)?(?:用|使用|以|说|讲){_LANGUAGE}(?:来)?(?:跟我|和我|与我|给我)?"
    r"(?:回答|回复|答复|交流|沟通|对话|聊天?|作答|说话)"
)
_NOTED: Final = re.compile(
    r"(?:一定)?要?(?:记住|记好|牢记|切记|谨记|记着)(?!了|吗|没|的|他|她|这一|那|你说|你的)"
)
_ABOUT_REPLY: Final = re.compile(
    rf"(?:你的?)?(?:所有|每次|每个|每条)?(?:的)?{_REPLY}(?:我|里|中|时|的时候|问题)*"
    r"(?:都|请|要|得|尽量|必须|应该|应当|只|不要|别|不超过|控制|保持|务必|最好|越)"
)
_EACH: Final = re.compile(
    r"(?:每次|每回|每当|每一次|凡是|但凡|只要|(?:当|如果|要是|若|假如)?我(?:一?问|一?提|说|发|贴"
    r"|给你|让你|请你)[^，]*(?:的时候|时|起|到|之前|之后|就|，))"
)
_ORDERED: Final = re.compile(
    r"(?:^|，)(?:你|您)?(?:都|就|也|则|均)*(?:请|你|您|务必|必须|要|得|先|一定|一律|记得|不要"
    r"|别(?!人|的)|不能|不许|给我|告诉我|帮我|提醒我"
    r"|用|把|附|列|标|写|换算|转换|检查|确认|说明|注明|提供|回答|回复|总结|翻译|按|加)"
    r"|(?:都|就|先|请|必须|务必|要先|得先)(?:请|先|要|得|必须|务必|给|问我|告诉|提醒|附|列|标|写|用"
    r"|把|加|换算|检查|确认|说明"
    r"|注明|提供|抄送|翻译|总结|按|不要|别|和我确认|跟我确认|经过我|征求|通知|回复|回答|备份|测试"
    r"|带上|加上)"
)
_DIRECTION: Final = re.compile(
    r"请|麻烦|务必|必须|一定|记得|千万|切记|不要|别(?!人|的|墅)|不许|不准|不得|不能|不可|不用|禁止"
    r"|都|一律|统一|全部|只(?!剩|有|是|好)|要|用|以|按|叫|称呼|喊|直接|尽量|先|把|给我|帮我|控制"
    r"|保持|注明|回答|回复|写|指|说|发|加|附|列|推荐|订|提醒|改|换|少|多|讲|忽略|避免|避开|保留"
    r"|使用|采用|称|提供|检查|确认|标|记录|跳过|删|优先|安排|汇报|通知|翻译|总结"
)
_SELF: Final = re.compile(
    r"(?:(?<![呼叫问给复跟和帮替醒])我们?(?!的(?:邮件|文件|代码|报告|名字|称呼|手机|密码|信息|隐私"
    r"|客户|回复|消息|问题)|问|提|说|发|给|要你|让你|希望你|请你|找你|用|叫|不在)|咱|他|她|它|大家"
    r"|别人|人们|谁|老师|妈|爸|爷|奶|哥|姐|弟|妹|朋友|同事|老板|公司|领导|医生|孩子|乙方|甲方|对方"
    r"|有人|有些人|还有|还剩|只剩|已经|过了|有机会|有时间|再说|再聊|再看|再来|再去|再见|见|会|可能"
    r"|想|打算|应该会|怎么|日子|生活)"
)
_SOMEBODY: Final = re.compile(r"(?<![呼叫问给复跟和帮替醒])我|咱|他|她|它|大家|人们|乙方|甲方")
_OTHERS: Final = re.compile(
    r"(?:(?<!我)(?<!我再)(?<!听我)(?:说过?|讲过?|告诉我|写着|写道|写的是|规定|提到|提醒我|嘱咐|叮嘱"
    r"|劝我|教我|常说|要求)[:：]?$"
    r"|[书上里面规中](?:说|写明|写着|标明|规定|要求)|(?:他|她|妈|爸|师|板|司|导|生|人|事"
    r"|友)们?(?:总是|经常|一直|常常?|都)?(?:说|讲|让|叫|劝|教|要求|规定|告诉|提醒))"
)
_SAYS: Final = re.compile(r"^(?:他|她|妈|爸|老师|医生|老板|领导).{0,8}说过?$")
_ONE_OFF: Final = re.compile(
    r"今天(?!起|开始|以后)|明天|今晚|明晚|明早|后天|这次|这回|现在(?!起|开始)|马上|立刻|暂时|刚才"
    r"|先不要|这一次|本次|下周|周五前"
)
_QUESTION: Final = re.compile(r"(?:[?？]|[吗呢么吧]?[?？]|吗|呢|没有|什么)[。.!！~～]*$")
_TAG: Final = re.compile(
    r"[，, ]?(?:好吗|好么|好不好|行吗|行不行|可以吗|可以么|知道吗|明白吗|懂吗|听到没有?|记住了吗"
    r"|谢谢|哦|哈|啊|呀|呗|吧)*[?？。.!！~～]*$"
)
_ASKED: Final = re.compile(
    r"(?:好吗|好么|好不好|行吗|行不行|可以吗|可以么|知道吗|明白吗|懂吗|能不能|能否|可否)"
)
_WHY: Final = re.compile(r"为什么|为啥|怎么|什么|哪|谁|是不是|有没有|要不要|会不会|该不该")
_CUT: Final = re.compile(r"[，,；;：:()（）—…！!。]+|\s+")
_TOPIC: Final = re.compile(
    rf"[^，]{{0,20}}(?:{_MATTER}|里|中|时|时候|前|后|上|方面|之前|之后|情况下|下|内"
    rf"|的)[^，]{{0,6}}$"
)
_DESCRIBED: Final = re.compile(r"(?:你|您)(?:总是|永远(?!不要|别|要|不能|不准|不许)|始终|一直)")
_TO_YOU: Final = re.compile(
    r"(?:就|则|都|也)?(?:你|您|请|不要|别(?!的|人)|务必|必须)(?!会|就会|都会)"
)
_WHENEVER: Final = ("的时候", "时", "里", "中")
_BANS: Final = re.compile(r"(?:不要|别|不许|切勿).{2,}")
_LASTS: Final = (_BAN, _NO_MORE, _CALL_ME, _IN_LANGUAGE, _ABOUT_REPLY)
_WHILE: Final = re.compile(
    r"(?:的时候|时|里|中|之?后|之?前|结尾|末尾|开头)(?=(?:请|都)?(?:不要|别(?!的|人)|不许|切勿|请))"
)
_WHOLE: Final = 6  # characters; with fewer, 记住了啊 and 以后再看 say nothing
_SHORT: Final = 3  # characters; with fewer, 必须点赞 and 不许动 are exclamations
_ALL: Final = re.compile(r"(?:所有|全部|任何|一切|凡是|每[个张份条封篇段])(?!.{0,3}[人员生客])")
_REGARDLESS: Final = re.compile(r"(?:以后)?(?:不管|无论|不论|任何|所有|凡)")
_EMPTY: Final = re.compile(
    r"(?:千万别告诉我|不要紧|不要了|不要客气|别客气|别担心|别急|别提|别说了|别怕|别忘|不要担心"
    r"|不要怕|不要急|不要难过)"
)
_WISH: Final = r"(?:要求|规则|指令|规定|约定|说法|说的|设定|偏好|吩咐|指示|交代|限制|话)"
_BEFORE: Final = r"(?:之前|以前|前面|刚才|刚刚|先前|上面|早前|原来|此前|上次|我)"
_NOW: Final = r"^(?:你|您|以后|今后|现在|从现在(?:起|开始)|那么?|就|好的?|也|都|请|又|其实|已经)*"
_THING: Final = r"[^我他她它咱，。这那]{0,14}?"
_NEED_NOT: Final = r"(?:不用|不必|不需要|无需|没必要|无须|用不着)"
_RULE: Final = r"(?:要求|规则|指令|规定|约定|限制)"
_VOID: Final = (
    r"(?:不算|作废|作罢|取消|撤回|收回|解除|失效|不作数|不用管|忽略|忘掉|忘了吧|算了|当我没说"
    r"|不[用必]遵守)"
)
_UNDO: Final = (
    r"(?:取消|撤销|撤回|收回|作废|解除|忘掉|忘记|忘了|忽略|无视|不用管|不用理会|废除|删掉)"
)
_DOES: Final = r"(?:再|先|每次|问|给|帮|替|提醒|告诉|通知|总结|发|写|管|附|列|检查|确认|翻译|解释)"
_CANCELS: Final = re.compile(
    rf"{_UNDO}(?:我|你|掉)?(?:{_BEFORE}|所有|全部|关于|那个|那条|这条|对).{{0,30}}?{_WISH}"
    rf"|(?:取消|撤销|作废|解除|忽略|忘掉|废除).{{0,20}}{_RULE}"
    rf"|{_BEFORE}.{{0,30}}{_WISH}.{{0,16}}{_VOID}"
    rf"|改(?:变)?(?:了)?主意|{_RULE}(?:都|全|全部|就|也)*{_VOID}"
    rf"|{_NOW}{_NEED_NOT}(?:再|继续|总是|每次|一律|先).|{_NOW}{_THING}{_NEED_NOT}[^，。]{{2,}}了$"
    rf"|^(?:你|您)?(?:以后|今后|现在|从现在(?:起|开始))(?:都|就|也)?{_NEED_NOT}{_DOES}"
    rf"|{_NOW}可以不(?:用|再|必|需要)?[^，。]{{1,}}了$|^我?(?:以后|现在)?不再(?:需要|要求)"
    rf"|{_NOW}可以(?:停止|停下|不再)|{_NOW}{_THING}(?:都可以|都行|无所谓)了$"
)
_AGAIN: Final = r"(?:重新|又|再|继续|恢复)"
_USES: Final = r"(?:用|使用|加|写|说|叫|提|推荐|发|放|带|附|联系|订|给我)"
_ALLOWS: Final = re.compile(
    rf"{_NOW}{_THING}(?:又|也|现在)?可以{_AGAIN}?{_USES}[^，。]*了$"
    rf"|{_NOW}(?:可以|能)(?:重新|恢复|继续){_USES}|^恢复(?:使用|用)"
)
_STOPS: Final = re.compile(
    r"^(?:以后|今后|从现在起|从现在开始|请|你)*(?:别|不要|不许|不准)再|^停止"
)


def directs(plain: str) -> bool:
    """Return whether a sentence asks for something that is to hold from now on."""
    text = plain.lower()
    if _asks(text):
        return False
    text = _TAG.sub("", text)
    clauses = _clauses(text)
    if clauses and _SAYS.search(clauses[-1]):
        return False
    reported = next((i for i, c in enumerate(clauses) if _OTHERS.search(c)), len(clauses))
    clauses = [c for c in clauses[:reported] if not _CANCELS.search(c)]
    return any(_orders(clauses, place) for place in range(len(clauses)))


def takes_back(plain: str) -> str:
    """Return how a sentence takes a wish back, as its English twin does."""
    text = plain.lower()
    if _asks(text):
        return ""
    clauses = _CUT.split(text.rstrip("。.!！~～?？ "))
    for kind, rule in (("cancels", _CANCELS), ("allows", _ALLOWS), ("stops", _STOPS)):
        if any(rule.search(clause) for clause in clauses):
            return kind
    return ""


def _asks(text: str) -> bool:
    """Tell whether a sentence is a question, and not a request in the form of one."""
    return bool(_WHY.search(text) and text[-1:] in "?？") or bool(
        _QUESTION.search(text) and not _ASKED.search(text)
    )


def _clauses(text: str) -> list[str]:
    return [clause for clause in (each.strip() for each in _CUT.split(text)) if clause]


def _orders(clauses: list[str], place: int) -> bool:
    """Tell whether the clause at `place` is an order that lasts."""
    clause = clauses[place]
    opening = _OPENING.match(clause)
    rest = clause[opening.end() :] if opening else clause
    if _EMPTY.match(rest) or _EMPTY.match(clause):
        return False
    if _from_now(rest, clauses[place + 1 :]) or _NOTED.match(
        clause.removeprefix("请").removeprefix("你")
    ):
        return _goes_on(clause, clauses[place + 1 :])
    if _each_time(clauses, place, rest):
        return True
    if _ONE_OFF.search("，".join(clauses)):
        return False
    return _must(clause, clauses[place - 1] if place else "") or _by_itself(clause, rest)


def _goes_on(clause: str, others: list[str]) -> bool:
    return len(clause) + sum(map(len, others)) >= _WHOLE


def _from_now(rest: str, others: list[str]) -> bool:
    """Tell whether an order opens with words such as 以后."""
    found = re.match(_FUTURE, rest)
    if not found:
        return False
    said = rest[found.end() :]
    if said and _SELF.match(said):
        return said[0] == "我" and any(map(_TO_YOU.match, others[:2]))
    whole = "，".join([said, *others[:2]] if said else others[:2])
    return bool(_DIRECTION.search(whole)) and not _SELF.match(whole)


def _each_time(clauses: list[str], place: int, rest: str) -> bool:
    """Tell whether a clause says when, and what to do then."""
    found = _EACH.match(rest)
    if not found or re.search("就(?:行|好|可以|够)", rest):
        return False
    whole = "，".join([rest, *clauses[place + 1 :][:2]])[found.end() :]
    return bool(_ORDERED.search(whole)) and not re.search(
        r"(?:我们?|他们?|她们?|它|大家|心里)(?:都|就|总|也|会|想)", whole
    )


def _must(clause: str, last: str) -> bool:
    """Tell whether something is to be done or left in general, by its matter or by whom it asks."""
    found = re.search(_MUST, clause)
    if not found:
        return False
    before = clause[: found.start()]
    opening = _OPENING.match(before)
    topic = before[opening.end() :] if opening else before
    named = bool(_ALL.match(before) or re.search(_MATTER, topic))
    if len(clause) - found.end() < _SHORT - named or _SELF.search(topic):
        return False
    if _DESCRIBED.match(clause):
        return False
    if _ALL.match(before) or _REGARDLESS.match(topic):
        return True
    if not topic:
        return not found[0].startswith("都") or bool(before) or bool(_REGARDLESS.match(last))
    return bool(_TOPIC.match(topic))


def _by_itself(clause: str, rest: str) -> bool:
    """Tell whether an order lasts without any word that says so."""
    if any(rule.match(rest) for rule in _LASTS):
        return True
    matter = _WHILE.search(clause)
    if not matter or _SOMEBODY.search(clause[: matter.start()]):
        return False
    ban = clause[matter.end() :].removeprefix("请").removeprefix("都")
    general = matter[0] in _WHENEVER and not _EMPTY.match(ban) and _BANS.match(ban)
    return bool(general or _BAN.match(ban))
