"""A library about which questions can be asked that it answers, and others that it does not."""

from typing import Any

from tests.integration.evaluating import Lab

SUBJECTS = (
    *("年假", "病假", "婚假", "住宿", "餐补", "班车", "停车", "食堂", "工牌", "打印机", "会议室", "访客"),
    *("合同", "印章", "发票", "预算", "采购", "备份", "密码", "邮箱", "电脑", "网络", "培训", "体检"),
)
UNANSWERED = (
    *(
        "恐龙为什么灭绝？",
        "月球离地球有多远？",
        "红烧肉怎么做？",
        "谁写了红楼梦？",
        "世界杯在哪里举行？",
        "钢琴有几个键？",
    ),
    *("火山为什么喷发？", "猫一天睡多久？", "长城有多长？", "光速是多少？", "企鹅生活在哪里？", "咖啡起源于哪里？"),
)


def answered(lab: Lab) -> list[dict[str, Any]]:
    """A document for each subject, and the questions that these answer."""
    return [
        {
            "question": f"{subject}申请由谁批准？",
            "documents": [
                {"document_id": lab.corpus.add("public", subject, f"{subject}申请由第 {number} 小组的负责人批准。")}
            ],
        }
        for number, subject in enumerate(SUBJECTS, 1)
    ]


def unanswered() -> list[dict[str, Any]]:
    """Questions about something else."""
    return [{"question": question, "documents": []} for question in UNANSWERED]


def make_set(lab: Lab, name: str, questions: list[dict[str, Any]]) -> dict[str, Any]:
    """Keep a golden set."""
    made = lab.client.post("/v1/golden-sets", json={"name": name, "questions": questions})
    return dict(made.raise_for_status().json())


def gates(read: dict[str, Any]) -> dict[str, Any]:
    """The thresholds of a calibration by name."""
    return {gate["setting"]: gate for gate in read["report"]["calibration"]["gates"]}
