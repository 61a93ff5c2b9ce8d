"""Texts and questions for bench/recall.py, made of what stands here and a seed, so that every run has the same.

Quality: facts about people that nobody knows, one passage each, in four languages and scripts. A
question asks for one fact in other words than its passage has: its name alone leads to all that is known of
that person, the words of the fact to all whom it is known of.
"""

import random

NAMES = {
    "en": ["Clara", "Marcus", "Edith", "Owen", "Harriet", "Felix", "Judith", "Rupert", "Nadia", "Conrad", "Miriam",
           "Desmond", "Ingrid", "Leopold", "Rosalind", "Barnaby", "Cecily", "Tobias", "Winifred", "Gareth", "Lucinda",
           "Ambrose", "Philippa", "Roderick", "Beatrix", "Hector", "Marigold", "Quentin", "Sabrina", "Thaddeus",
           "Ursula", "Vernon", "Yolanda", "Alistair", "Bernice", "Clement", "Dorothea", "Ephraim", "Florence", "Gideon",
           "Hermione", "Ignatius", "Josephine", "Kenneth", "Lavinia", "Mortimer", "Nicolette", "Octavia", "Percival",
           "Rowena", "Silas", "Tabitha", "Ulysses", "Verity", "Wallace", "Xanthe", "Yvette", "Zachary", "Agatha", "Bertram",
           "Cordelia", "Dunstan", "Esmeralda", "Fergus", "Griselda", "Humphrey", "Imogen", "Jasper", "Keziah", "Lorcan",
           "Millicent", "Nathaniel", "Ottilie", "Piers", "Ramona", "Seraphina", "Tristram", "Unity", "Viola", "Wilfred"],
    "ru": ["Аглая", "Борис", "Варвара", "Геннадий", "Дарья", "Егор", "Жанна", "Захар", "Инна", "Кирилл", "Лидия", "Макар",
           "Нина", "Олег", "Полина", "Роман", "Софья", "Тимур", "Ульяна", "Фёдор", "Харитон", "Эмма", "Юлия", "Яков",
           "Алевтина", "Богдан", "Вера", "Глеб", "Диана", "Ефим", "Зинаида", "Игнат", "Клавдия", "Леонид", "Майя", "Назар",
           "Оксана", "Прохор", "Раиса", "Савва", "Таисия", "Устин", "Фаина", "Христина", "Эдуард", "Юрий", "Ярослав", "Анфиса",
           "Вадим", "Галина", "Демьян", "Елена", "Злата", "Илья", "Каролина", "Лука", "Марфа", "Никита", "Ольга", "Пётр",
           "Регина", "Семён", "Тарас", "Филипп", "Антон", "Виктор", "Даниил", "Евдокия", "Карина", "Любовь", "Матвей",
           "Нонна", "Остап", "Павел", "Родион", "Степан", "Тихон", "Эльвира", "Юлиан", "Яна"],
    "zh": [a + b for a in "王李张刘陈杨赵黄周吴" for b in ("秀英", "建国", "晓梅", "志强", "美玲", "俊杰", "雪琴", "海涛")],
    "ar": ["أمينة", "بشير", "جميلة", "حمزة", "خديجة", "داود", "رانيا", "زياد", "سلمى", "شريف", "صفاء", "طارق", "عائشة", "غسان",
           "فاطمة", "قاسم", "كريمة", "لطفي", "مريم", "نبيل", "هالة", "وليد", "ياسمين", "إدريس", "إلهام", "أنور", "بسمة", "توفيق",
           "ثريا", "جابر", "حنان", "خليل", "دلال", "رشيد", "زهرة", "سامي", "شيماء", "صلاح", "ضحى", "طلال", "عفاف", "فؤاد",
           "قمر", "كمال", "لمياء", "مازن", "نجلاء", "هشام", "وفاء", "يوسف", "آمال", "باسل", "جيهان", "حسين", "خلود", "ذكي",
           "رغد", "زكريا", "سعاد", "شادي", "صباح", "ضياء", "طه", "عبير", "غادة", "فريد", "كوثر", "لبنى", "معاذ", "نادية",
           "هيثم", "وسام", "يحيى", "أسماء", "إبراهيم", "تهاني", "جواد", "حليمة", "رباب", "سهيل"],
}

# (what is said, what is asked, what can stand in it)
FACTS = {
    "en": [
        ("{n} works as a {v} and has done so for years.", "What does {n} do for a living?",
         "nurse plumber violinist baker judge sailor florist welder".split()),
        ("The daughter of {n} is called {v}.", "What is the name of {n}'s child?", "Ada Iris June Pearl Wren Opal Hazel Faye".split()),
        ("Last spring {n} moved to {v}.", "In which city does {n} live now?", "Lisbon Oslo Turin Ghent Cork Bergen Graz Malmo".split()),
        ("Nobody should cook with {v} when {n} comes to dinner.", "Which food makes {n} ill?",
         "walnuts shrimp celery sesame mustard lupins oysters".split()),
        ("{n} drives an old {v}.", "Which car does {n} own?", "Volvo Beetle Saab Panda Lada Trabant".split()),
        ("For his birthday {n} would like a {v}.", "What present would make {n} happy?", "telescope kite kettle hammock globe canoe".split()),
        ("{n} is learning to play the {v}.", "Which instrument does {n} practise?", "cello harp oboe banjo trumpet lute".split()),
        ("The dog of {n} answers to {v}.", "How is {n}'s pet called?", "Biscuit Rusty Comet Pickle Bruno Pepper".split()),
        ("{n} speaks {v} at home with the grandparents.", "What is {n}'s mother tongue?", "Welsh Basque Frisian Maltese Breton Sorbian".split()),
        ("Every Thursday evening {n} goes to {v}.", "What is {n}'s weekly hobby?", "fencing pottery chess choir archery yoga".split()),
        ("{n} was married in the year {v}.", "When was the wedding of {n}?", "1987 1994 2003 2009 2011 2016".split()),
        ("At school {n} could never stand {v}.", "Which subject did {n} hate as a pupil?", "algebra Latin geography gymnastics chemistry".split()),
        ("The doctor gave {n} {v} for the heart.", "What medicine does {n} take?", "digoxin aspirin bisoprolol ramipril warfarin".split()),
        ("{n} pays {v} a month for the flat.", "How much rent does {n} owe?", "640 715 820 905 1130 1275".split()),
        ("The meeting with {n} was put off until {v}.", "On what day do we see {n}?", "Tuesday Friday Sunday Monday Saturday".split()),
        ("{n} asked that all letters be sent in {v}.", "Which colour of paper does {n} prefer?", "yellow violet green orange grey".split()),
    ],
    "ru": [
        ("{n} уже много лет работает в больнице, должность: {v}.", "Кем по профессии является {n}?", "хирург медсестра бухгалтер повар водитель".split()),
        ("{n} воспитывает дочь по имени {v}.", "Как зовут ребёнка, чей родитель {n}?", "Ася Мила Рада Лия Ника".split()),
        ("Прошлой весной {n} переезжает в город {v}.", "Где теперь живёт {n}?", "Казань Омск Псков Тула Сочи".split()),
        ("{n} не переносит {v}, от этого бывает плохо.", "На какой продукт у кого {n} аллергия?", "орехи мёд рыбу сою кунжут".split()),
        ("{n} ездит на старой машине марки {v}.", "Какой автомобиль у человека по имени {n}?", "Волга Нива Победа Чайка".split()),
        ("На день рождения {n} мечтает получить {v}.", "Какой подарок обрадует: {n}?", "телескоп гамак самовар глобус".split()),
        ("{n} берёт уроки, инструмент: {v}.", "На чём играет {n}?", "скрипка арфа флейта баян".split()),
        ("{n} гуляет с собакой по кличке {v}.", "Как зовут питомца, хозяин {n}?", "Бим Рыжик Тузик Граф".split()),
        ("По четвергам {n} ходит на занятия: {v}.", "Какое хобби имеет {n}?", "шахматы йога хор керамика".split()),
        ("{n} сыграл свадьбу в {v} году.", "Когда женился или вышла замуж {n}?", "1988 1995 2004 2012".split()),
        ("Врач выписал лекарство, пациент {n}: {v}.", "Что принимает от болезни {n}?", "аспирин дигоксин рамиприл".split()),
        ("{n} платит за квартиру {v} в месяц.", "Сколько стоит аренда, жилец {n}?", "24000 31000 45500 52000".split()),
        ("Встречу перенесли, {n} придёт в {v}.", "В какой день будет {n}?", "среду пятницу субботу понедельник".split()),
        ("{n} просит писать на бумаге, цвет {v}.", "Какой цвет предпочитает {n}?", "жёлтый синий зелёный серый".split()),
        ("В школе {n} терпеть не может {v}.", "Какой предмет не нравится ученику {n}?", "алгебру химию черчение".split()),
        ("Дома {n} говорит с бабушкой на языке: {v}.", "Какой родной язык имеет {n}?", "татарский карельский чувашский".split()),
    ],
    "zh": [
        ("{n}多年来一直是一名{v}。", "{n}的职业是什么？", "护士 木匠 法官 厨师 司机".split()),
        ("{n}给女儿取名叫{v}。", "{n}的孩子叫什么名字？", "小雨 思远 若溪 子涵".split()),
        ("去年春天{n}搬到了{v}。", "{n}现在住在哪个城市？", "苏州 昆明 大连 厦门".split()),
        ("{n}一吃{v}就不舒服。", "{n}对什么食物过敏？", "花生 虾 芒果 芝麻".split()),
        ("{n}开着一辆旧的{v}。", "{n}有什么汽车？", "红旗 捷达 桑塔纳 吉利".split()),
        ("{n}过生日最想要{v}。", "送{n}什么礼物好？", "望远镜 风筝 茶壶 吊床".split()),
        ("{n}正在学拉{v}。", "{n}练习哪种乐器？", "二胡 小提琴 大提琴".split()),
        ("{n}的狗名叫{v}。", "{n}的宠物叫什么？", "旺财 豆豆 来福 毛毛".split()),
        ("每周四晚上{n}都去{v}。", "{n}有什么爱好？", "下棋 合唱 陶艺 击剑".split()),
        ("{n}是{v}年结婚的。", "{n}的婚礼在哪一年？", "1988 1996 2005 2013".split()),
        ("医生给{n}开了{v}。", "{n}吃什么药？", "阿司匹林 地高辛 华法林".split()),
        ("{n}每月房租{v}元。", "{n}住的房子要花多少钱？", "2400 3150 4600 5200".split()),
        ("和{n}的会议推迟到{v}。", "我们哪天见{n}？", "星期三 星期五 星期日".split()),
        ("{n}要求信纸用{v}。", "{n}喜欢什么颜色？", "黄色 紫色 绿色 灰色".split()),
        ("上学时{n}最讨厌{v}。", "{n}不喜欢哪门课？", "代数 化学 地理".split()),
        ("{n}在家和祖父母说{v}。", "{n}的母语是什么？", "粤语 闽南语 藏语".split()),
    ],
    "ar": [
        ("{n} تعمل منذ سنوات في مهنة {v}.", "ما هي وظيفة {n}؟", "التمريض النجارة القضاء الطبخ".split()),
        ("سمّت {n} ابنتها {v}.", "ما اسم طفلة {n}؟", "ليلى نور ريم جنى".split()),
        ("في الربيع الماضي انتقلت {n} إلى {v}.", "أين تسكن {n} الآن؟", "طنجة صور حلب الموصل".split()),
        ("لا تتحمل {n} أكل {v}.", "من أي طعام تمرض {n}؟", "الفستق الروبيان السمسم العسل".split()),
        ("تقود {n} سيارة قديمة من نوع {v}.", "ما هي مركبة {n}؟", "بيجو فيات لادا فولفو".split()),
        ("تتمنى {n} في عيد ميلادها {v}.", "أي هدية تفرح {n}؟", "منظارا طائرة إبريقا أرجوحة".split()),
        ("تتعلم {n} العزف على {v}.", "على أي آلة تتدرب {n}؟", "العود القانون الناي الكمان".split()),
        ("قطة {n} تدعى {v}.", "ما اسم حيوان {n} الأليف؟", "مشمش بسبس فلفل سكر".split()),
        ("كل خميس تذهب {n} إلى درس {v}.", "ما هواية {n}؟", "الشطرنج الخزف المبارزة الإنشاد".split()),
        ("تزوجت {n} في سنة {v}.", "متى كان عرس {n}؟", "1989 1997 2006 2014".split()),
        ("وصف الطبيب للمريضة {n} دواء {v}.", "ماذا تتناول {n} لقلبها؟", "الأسبرين الديجوكسين الوارفارين".split()),
        ("تدفع {n} للشقة {v} كل شهر.", "كم إيجار {n}؟", "450 620 780 910".split()),
        ("تأجل الاجتماع مع {n} إلى يوم {v}.", "متى نلتقي مع {n}؟", "الأربعاء الجمعة الأحد".split()),
        ("طلبت {n} أن تكون الرسائل على ورق {v}.", "أي لون تفضله {n}؟", "أصفر أخضر بنفسجي".split()),
        ("كانت {n} تكره في المدرسة {v}.", "أي مادة لم تحبها {n}؟", "الجبر الكيمياء الجغرافيا".split()),
        ("تتكلم {n} مع جدتها {v}.", "ما لغة {n} الأم؟", "الأمازيغية الكردية النوبية".split()),
    ],
}


def quality(seed=7, questions=300):
    """(passages, questions): a passage is its text, a question (text, place of its passage, language)."""
    chance = random.Random(seed)
    passages, askable = [], []
    for language, facts in FACTS.items():
        for name in NAMES[language]:
            for said, asked, values in facts:
                askable.append((asked.format(n=name), len(passages), language))
                passages.append(said.format(n=name, v=chance.choice(values)))
    return passages, chance.sample(askable, questions)


class Prose:
    """Sentences of words that are as unevenly common as those of a language."""

    def __init__(self, seed=11, words=50_000):
        self.chance = random.Random(seed)
        syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
        known = set()
        while len(known) < words:
            known.add("".join(self.chance.choice(syllables) for _ in range(self.chance.randint(2, 4))))
        self.words = sorted(known)
        self.chance.shuffle(self.words)
        total, self.cumulative = 0.0, []
        for place in range(words):
            total += 1 / (place + 2.7)
            self.cumulative.append(total)

    def some(self, count):
        return self.chance.choices(self.words, cum_weights=self.cumulative, k=count)

    def text(self):
        return " ".join(self.some(self.chance.randint(8, 24))) + "."
