"""What instructions to a model look like, in Chinese and English: patterns over plain text (`plain_text.plain`).

All gaps are bounded, so that matching takes linear time whatever the text. A weight is how sure one match alone is.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Sign(StrEnum):
    """Why a text looks like instructions; the fixed vocabulary of traces and metrics."""

    OVERRIDE = "override"  # "ignore the rules above"
    ROLE_CHANGE = "role_change"  # "you are now …"
    ROLE_MARKER = "role_marker"  # "System:" at the beginning of a line, forged ends of a source
    CHAT_TEMPLATE = "chat_template"  # <|im_start|>
    ADDRESSED = "addressed_to_model"  # "note to AI assistants"
    DICTATED = "dictated_reply"  # "reply with …"
    SECRECY = "secrecy"  # "do not tell the user"
    PROMPT = "prompt_request"  # "print your system prompt"
    TOOL_CALL = "tool_call"  # <tool_call>
    EXFILTRATION = "exfiltration"  # links and images that carry data away
    HIDDEN = "hidden_text"  # characters that nobody sees
    ENCODED = "encoded_payload"  # text in base64


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern that is a sign, and how much of one (0-1)."""

    sign: Sign
    weight: float
    pattern: re.Pattern[str]


def _rule(sign: Sign, weight: float, pattern: str) -> Rule:
    return Rule(sign, weight, re.compile(pattern))


_TOLD = r"instructions?|prompts?|rules|directions|directives?|guidelines|commands?|constraints|orders|restrictions"
_TOLD_ZH = "指令|指示|说明|說明|提示|规则|規則|要求|命令|设定|設定|限制|约束|规定|内容|对话"
_MODEL = (
    r"ais?|a\.i\.|llms?|(?:large )?language models?|(?:ai )?assistants?|chatbots?|chatgpt|gpt|(?:ai )?models?|bots?"
)
_MODEL_ZH = "ai|人工智能|大模型|语言模型|助手|机器人|智能助理|智能体|模型"

RULES: tuple[Rule, ...] = (
    _rule(
        Sign.OVERRIDE,
        0.7,
        r"\b(?:ignore|disregard|forget|override|bypass|discard|neglect|abandon|(?:do not|don't|stop) (?:follow|obey)\w*)\b"
        r"[^.\n]{0,30}?\b(?:previous|prior|above|earlier|preceding|foregoing|all|any|your|these|system|original|initial"
        rf"|former|other|everything|before)\b[^.\n]{{0,30}}?\b(?:{_TOLD}|you (?:were|have been) told|said before|training)\b",
    ),
    _rule(
        Sign.OVERRIDE,
        0.7,
        "(?:忽略|无视|無視|忘记|忘掉|忘記|不要理会|不必理会|不要遵守|不再遵守|不用遵守|抛开|绕过|跳过|覆盖|取消|停止执行)"
        "[^。\n]{0,10}?(?:之前|以上|上述|上面|先前|前面|此前|所有|一切|任何|你的|系统|系統|原有|原来|其他)"
        f"[^。\n]{{0,10}}?(?:{_TOLD_ZH})",
    ),
    _rule(
        Sign.OVERRIDE,
        0.7,
        r"\b(?:ignore|disregard|forget|override|bypass|discard|abandon)\b[^.\n]{0,20}?"
        rf"\b(?:{_TOLD}|everything|all)\b ?(?:that |which )?(?:(?:is|are|was|were|stands?) )?"
        r"(?:above|before|earlier|previously|so far|you (?:have |had )?(?:got|received|been|were|given|told|seen))",
    ),
    _rule(
        Sign.OVERRIDE,
        0.55,
        r"\b(?:new|updated|real|actual|additional|urgent|special|hidden) (?:system )?"
        r"(?:instructions?|task|prompt|directives?|objective)\s?[:!]",
    ),
    _rule(Sign.OVERRIDE, 0.55, "(?:新的?|真正的?|最新的?|紧急|特殊|隐藏)(?:系统)?(?:指令|指示|任务|提示词)\\s?[:!]"),
    _rule(
        Sign.ROLE_CHANGE,
        0.55,
        r"\b(?:you are now (?:an? |the |in |going |free|no longer|dan\b)|from now on,? you\b"
        r"|you(?:'re| are) (?:going|about) to (?:pretend|act|play|immerse|role)"
        r"|(?:act|pretend|roleplay|role-play) (?:as|to be|that you are|you are)\b[^.\n]{0,40}?"
        rf"\b(?:{_MODEL}|dan|hacker|evil|unrestricted)\b"
        r"|do anything now|developer mode|jailbr(?:eak|oken)\w*|god mode|debug mode|no longer bound)",
    ),
    _rule(
        Sign.ROLE_CHANGE,
        0.55,
        "你现在是|你現在是|从现在(?:起|开始)[,，]?\\s?你|(?:请你?|你将|你要|你来)扮演|假装你是|假設你是|假设你是|你不再(?:是|受)"
        "|开发者模式|越狱模式|上帝模式|不受任何限制",
    ),
    _rule(
        Sign.ROLE_MARKER,
        0.4,
        r"(?:^|\n)[#>*\[\s]{0,4}(?:system|assistant|human|developer|系统|助手|系統)"
        r"(?: ?(?:prompt|message|instructions?|override|note|update|admin)|提示词?|消息|指令|管理员)?[\]*\s]{0,3}:",
    ),
    _rule(Sign.ROLE_MARKER, 0.6, r"=== ?(?:end ?)?\d{1,3} [0-9a-f]{8,16}\b"),
    _rule(
        Sign.ROLE_MARKER,
        0.45,
        r"[-=#*<\[]{2,10} ?(?:end|begin|start|stop) (?:of )?(?:the )?(?:documents?|context|sources?|data|instructions|prompt"
        r"|system|user|text|email)\b|(?:以上|资料|文档|上下文)(?:到此)?结束[-=#*>\]]{2,10}",
    ),
    _rule(
        Sign.CHAT_TEMPLATE,
        0.7,
        r"<\|[a-z_▁ ]{1,30}\|>|\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>|</?(?:system|assistant|instructions?|im_start|im_end)>",
    ),
    _rule(
        Sign.ADDRESSED,
        0.55,
        rf"\b(?:if you(?:'re| are)|attention|dear|(?:note|message|instructions?|important|reminder) (?:to|for)|hey|hello)[,:! ]{{1,3}}"
        rf"(?:an? |the |any |all |every )?(?:{_MODEL})\b(?! (?:team|users?|department|owners?))",
    ),
    _rule(Sign.ADDRESSED, 0.55, f"(?:致|写给|如果你是|提醒)(?:一个|所有|任何|各位)?(?:{_MODEL_ZH})"),
    _rule(
        Sign.DICTATED,
        0.55,
        r"\b(?:reply|respond|answer)(?: back| to (?:the user|them|this|everything|all|every question))?"
        r"(?: only| just| exactly| solely)? (?:with|by saying|using only)\b"
        r"|\b(?:begin|start|end|finish|prefix|conclude) (?:all |every |each )?(?:your|the) (?:repl(?:y|ies)|answers?|responses?)\b",
    ),
    _rule(
        Sign.DICTATED,
        0.5,
        r"\b(?:print|output|say|write|repeat|append|include|insert)\b[^.\n]{0,24}?"
        r"(?:\bthe (?:words?|phrase|string|sentence|exact|link|url)\b|\bexactly\b|\bverbatim\b"
        r"|\bin your (?:answers?|repl\w+|responses?)\b)",
    ),
    _rule(Sign.DICTATED, 0.3, r"\b(?:print|output|say|write|repeat|append)\b[^.\n]{0,12}?[\"“‘]"),
    _rule(Sign.DICTATED, 0.4, r"\b(?:tell|convince|instruct|persuade|urge) the (?:user|reader|human|customer)s?\b"),
    _rule(
        Sign.DICTATED,
        0.55,
        '(?:只|仅|必须|直接|一律|统一|请|都)(?:能|要|需)?(?:回复|回答|输出|打印|答复|说)(?:[“"「『:]|以下|下面|如下|这句|一句|[a-z])'
        "|(?:在|把)[^。\n]{0,10}?(?:回答|回复|答案|答复)(?:的?(?:开头|末尾|最后|结尾|中|里))[^。\n]{0,6}?(?:加上|附上|写上|输出|插入|包含)",
    ),
    _rule(Sign.DICTATED, 0.4, "(?:告诉|告知|诱导|说服|要求|提醒)(?:用户|提问者|读者|对方)"),
    _rule(
        Sign.SECRECY,
        0.5,
        r"\b(?:do not|don't|never) (?:mention|tell|reveal|disclose|inform|say)\b[^.\n]{0,40}?\b(?:users?|this (?:instruction|text|note)"
        r"|these instructions)\b",
    ),
    _rule(
        Sign.SECRECY, 0.5, "(?:不要|不得|别|勿)(?:告诉|提及|透露|提到|告知)[^。\n]{0,10}?(?:用户|指令|本条|这条|这段)"
    ),
    _rule(
        Sign.PROMPT,
        0.6,
        r"\b(?:reveal|print|show|repeat|output|display|disclose|leak|give me|tell me|share|what(?:'s| is| are| was| were))\b"
        r"[^.?\n]{0,24}?\b(?:system|initial|hidden|original|developer|secret|your|previous|above)\b[^.?\n]{0,24}?"
        r"\b(?:prompts?|instructions?|rules|directives?|system message)\b",
    ),
    _rule(
        Sign.PROMPT,
        0.6,
        "(?:输出|打印|显示|告诉我|复述|重复|泄露|展示|说出|写出)[^。\n]{0,10}?(?:系统|初始|隐藏|原始|你的|上面的?|之前的?|以上)"
        "[^。\n]{0,6}?(?:提示词?|指令|规则|设定|prompt)",
    ),
    _rule(
        Sign.TOOL_CALL,
        0.6,
        r"</?(?:tool_calls?|function_calls?|tool_use|(?:[a-z]{1,9}:)?(?:invoke|function_calls))\b|\"(?:tool_calls|function_call|tool_name)\" ?:",
    ),
    _rule(
        Sign.TOOL_CALL,
        0.4,
        r"\b(?:call|invoke|use|run|execute|trigger) (?:the |this |your )?[a-z0-9_.`-]{1,40} (?:tool|function|plugin)\b"
        "|(?:调用|执行|触发)[^。\n]{0,10}?(?:工具|函数|插件)",
    ),
    _rule(Sign.EXFILTRATION, 0.3, r"!\[[^\]\n]{0,120}\] ?\("),
    _rule(Sign.EXFILTRATION, 0.55, r"!\[[^\]\n]{0,120}\] ?\( ?(?:data:|(?:https?:)?//[^\s)?]{1,120}\?[^\s)=]{1,40}=)"),
    _rule(Sign.EXFILTRATION, 0.6, r"https?://[^\s)?]{1,120}[?&][\w-]{1,40}=(?:[{<\[$]|%7b)"),
    _rule(Sign.EXFILTRATION, 0.6, r"\b(?:javascript|vbscript): ?\S|<script\b"),
    _rule(Sign.EXFILTRATION, 0.3, r"<(?:iframe|img|object|embed)\b"),
    _rule(
        Sign.EXFILTRATION,
        0.55,
        r"\b(?:send|post|upload|forward|exfiltrate|transmit|leak|email|append)\b[^.\n]{0,40}?\b(?:conversation|chat history"
        r"|system prompt|passwords?|api keys?|credentials|secrets?|user data|context|question)\b[^.\n]{0,40}?\b(?:to|at)\b",
    ),
    _rule(
        Sign.EXFILTRATION,
        0.55,
        "(?:发送|上传|转发|泄露|发给|发到)[^。\n]{0,20}?(?:对话|聊天记录|系统提示|密码|密钥|用户数据|上下文)"
        "|(?:把|将)[^。\n]{0,16}?(?:对话|聊天记录|系统提示|密码|密钥|上下文|用户(?:的)?(?:数据|问题))[^。\n]{0,16}?(?:发送|上传|转发|发给|发到)",
    ),
    _rule(
        Sign.EXFILTRATION,
        0.4,
        r"\b(?:visit|click|open|go to|follow)(?: on)? (?:this|the following|the) (?:link|url|website)\b"
        "|(?:访问|点击|打开)(?:以下|下面的?|这个|此)?(?:链接|网址|网站)",
    ),
)
