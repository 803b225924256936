"""Words for made-up conversations. All of it is written or derived here; nothing is taken from anybody's data."""

# ruff: noqa: SIM905 - words are easier to read, and to add to, in one line than in quotes each
from __future__ import annotations

import random
from itertools import accumulate

#: So many words are derived from syllables, so that an index meets as many different ones as in real text.
RARE_WORDS = 12_000

COMMON = (
    "the to a of and is in you that it for we on with this your can be are as not have or at if will from but an was "
    "order please there so I'll my do one when here all no what how about after time by they which more would today up "
    "out also has our then just some new only any need first like get use made could now them other two should per may "
    "see between before each does where over its because well did than next last same week find full work "
    "help want back day still most send know such might while both another open under without part every left make "
    "price parcel customer delivery account refund number address invoice payment status e-mail item store"
).split()

TOPICS = (
    "train ticket hotel booking flight weather report table column budget quarter revenue printer driver router cable "
    "password login server deployment container database query index migration backup restore cluster region latency "
    "function module test coverage branch commit review merge release version package install update error traceback "
    "timeout retry queue worker thread message token model prompt answer summary translation recipe flour butter oven "
    "garden tomato soil marathon training knee doctor appointment insurance claim policy contract clause tenant landlord "
    "deposit lease museum exhibition guitar chord melody poem chapter novel reader library membership subscription card "
    "limit transfer balance statement tax receipt warranty repair battery charger screen keyboard headset firmware sensor "
    "meeting agenda minutes deadline estimate milestone stakeholder roadmap interview candidate salary onboarding laptop"
).split()

ACCENTED = (
    "café naïve résumé crème brûlée façade jalapeño über straße Zürich Köln São Paulo señor mañana coração ação Łódź "
    "Århus smørrebrød déjà vu piñata garçon fête élève été œuvre ça où là très bientôt français español português "
    "Grüße Öl Ärger Mädchen größer — … “quoted” €20 £5 10 °C ✓ → 🙂 👍 🎉 📦 привет спасибо заказ доставка Ελλάδα καλημέρα"
).split()

CJK = (
    "注文 番号 配送 住所 変更 確認 予約 部屋 電車 切符 天気 明日 今日 料金 支払 返品 商品 在庫 電話 会議 資料 質問 回答 問題 方法 時間 場所 名前 "
    "をお願いします ですか はい わかりました ありがとうございます できます について から まで の に を は が と も です ます でした "
    "订单 地址 客户 服务 价格 今天 明天 谢谢 请问 可以 没有 我们 你们 怎么 什么 时候 的 了 是 在"
).split()

CODE = (
    "def load(path):",
    "    with open(path) as file:",
    "        return json.load(file)",
    "for index, row in enumerate(rows):",
    "    total += row['amount']",
    "if not result.ok:",
    "    raise ValueError(result.error)",
    "import os",
    "from datetime import timedelta",
    "class Order(models.Model):",
    "    created = models.DateTimeField()",
    "SELECT id, name FROM orders WHERE status = 'open' ORDER BY id;",
    "$ pytest -q tests/orders",
    "E   AssertionError: assert 3 == 4",
    "diff --git a/orders.py b/orders.py",
    "-    return price * count",
    "+    return round(price * count, 2)",
    "const total = items.reduce((sum, item) => sum + item.price, 0);",
    "    logger.warning('retrying in %s seconds', delay)",
    "",
)

TOOLS = (
    "find_orders", "get_weather", "search_flights", "book_table", "look_up_customer", "run_query", "read_file",
    "list_rooms", "convert_currency", "send_invoice",
)  # fmt: skip

TAGS = ("billing", "shipping", "returns", "travel", "coding", "data", "urgent", "feedback", "vip", "internal", "bug")

_SYLLABLES = (
    "ba ce di fo gu la me ni ro su ta ve xi zo pra tre kli mon ter sal ren vik dor han lis mar pel quo rin sto tam ul"
).split()


def words(rng: random.Random) -> tuple[list[str], list[float]]:
    """Every word, the common ones first, and the cumulative weights of a Zipf-like draw."""
    rare = {"".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4))) for _ in range(RARE_WORDS)}
    every = [*COMMON, *TOPICS, *sorted(rare)]
    return every, list(accumulate(1 / (rank + 2.7) for rank in range(len(every))))
