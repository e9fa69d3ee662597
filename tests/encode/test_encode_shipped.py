"""The encoder that ships: stored first values, and whether it finds translations."""

import numpy as np
import pytest

from xsearch.core.data import data_path
from xsearch.encode import load_encoder

SENTENCES = {
    "en": [
        "The doctor told the patient to drink more water.",
        "Heavy rain flooded the streets of the city last night.",
        "The company will open a new factory next year.",
        "My grandmother bakes bread every Sunday morning.",
        "The students are reading a book about history.",
        "How do I change the password of my computer?",
        "The train to the airport leaves at seven o'clock.",
        "Many birds fly south before the winter begins.",
    ],
    "de": [
        "Der Arzt sagte dem Patienten, er solle mehr Wasser trinken.",
        "Starker Regen hat letzte Nacht die Straßen der Stadt überflutet.",
        "Das Unternehmen wird nächstes Jahr eine neue Fabrik eröffnen.",
        "Meine Großmutter backt jeden Sonntagmorgen Brot.",
        "Die Studenten lesen ein Buch über Geschichte.",
        "Wie ändere ich das Passwort meines Computers?",
        "Der Zug zum Flughafen fährt um sieben Uhr ab.",
        "Viele Vögel fliegen nach Süden, bevor der Winter beginnt.",
    ],
    "fr": [
        "Le médecin a dit au patient de boire plus d'eau.",
        "De fortes pluies ont inondé les rues de la ville la nuit dernière.",
        "L'entreprise ouvrira une nouvelle usine l'année prochaine.",
        "Ma grand-mère fait du pain tous les dimanches matin.",
        "Les étudiants lisent un livre sur l'histoire.",
        "Comment changer le mot de passe de mon ordinateur ?",
        "Le train pour l'aéroport part à sept heures.",
        "Beaucoup d'oiseaux volent vers le sud avant le début de l'hiver.",
    ],
    "es": [
        "El médico le dijo al paciente que bebiera más agua.",
        "Anoche las fuertes lluvias inundaron las calles de la ciudad.",
        "La empresa abrirá una nueva fábrica el próximo año.",
        "Mi abuela hace pan todos los domingos por la mañana.",
        "Los estudiantes están leyendo un libro de historia.",
        "¿Cómo cambio la contraseña de mi ordenador?",
        "El tren al aeropuerto sale a las siete.",
        "Muchos pájaros vuelan hacia el sur antes de que empiece el invierno.",
    ],
    "ru": [
        "Врач сказал пациенту пить больше воды.",
        "Прошлой ночью сильный дождь затопил улицы города.",
        "Компания откроет новый завод в следующем году.",
        "Моя бабушка печёт хлеб каждое воскресное утро.",
        "Студенты читают книгу об истории.",
        "Как изменить пароль моего компьютера?",
        "Поезд в аэропорт отправляется в семь часов.",
        "Многие птицы улетают на юг перед началом зимы.",
    ],
    "ar": [
        "قال الطبيب للمريض أن يشرب المزيد من الماء.",
        "أغرقت الأمطار الغزيرة شوارع المدينة الليلة الماضية.",
        "ستفتح الشركة مصنعا جديدا في العام القادم.",
        "جدتي تخبز الخبز كل صباح يوم الأحد.",
        "الطلاب يقرؤون كتابا عن التاريخ.",
        "كيف أغير كلمة المرور لجهاز الكمبيوتر الخاص بي؟",
        "يغادر القطار إلى المطار في الساعة السابعة.",
        "تطير طيور كثيرة إلى الجنوب قبل بداية الشتاء.",
    ],
    "hi": [
        "डॉक्टर ने मरीज़ को और पानी पीने के लिए कहा।",
        "कल रात भारी बारिश से शहर की सड़कों पर बाढ़ आ गई।",
        "कंपनी अगले साल एक नया कारखाना खोलेगी।",
        "मेरी दादी हर रविवार की सुबह रोटी पकाती हैं।",
        "छात्र इतिहास के बारे में एक किताब पढ़ रहे हैं।",
        "मैं अपने कंप्यूटर का पासवर्ड कैसे बदलूँ?",
        "हवाई अड्डे के लिए ट्रेन सात बजे निकलती है।",
        "सर्दी शुरू होने से पहले बहुत से पक्षी दक्षिण की ओर उड़ते हैं।",
    ],
    "zh": [
        "医生让病人多喝水。",
        "昨晚大雨淹没了城市的街道。",
        "公司明年将开设一家新工厂。",
        "我奶奶每个星期天早上都烤面包。",
        "学生们正在读一本关于历史的书。",
        "怎样更改我电脑的密码？",
        "去机场的火车七点出发。",
        "冬天开始之前，许多鸟飞往南方。",
    ],
    "ja": [
        "医者は患者にもっと水を飲むように言いました。",
        "昨夜の大雨で街の道路が水浸しになりました。",
        "会社は来年新しい工場を開きます。",
        "私の祖母は毎週日曜日の朝にパンを焼きます。",
        "学生たちは歴史の本を読んでいます。",
        "コンピューターのパスワードを変更するにはどうすればいいですか？",
        "空港行きの電車は七時に出発します。",
        "冬が始まる前に多くの鳥が南へ飛びます。",
    ],
    "tr": [
        "Doktor hastaya daha fazla su içmesini söyledi.",
        "Dün gece şiddetli yağmur şehrin sokaklarını su altında bıraktı.",
        "Şirket gelecek yıl yeni bir fabrika açacak.",
        "Büyükannem her pazar sabahı ekmek pişirir.",
        "Öğrenciler tarih hakkında bir kitap okuyor.",
        "Bilgisayarımın parolasını nasıl değiştirebilirim?",
        "Havaalanına giden tren saat yedide kalkıyor.",
        "Birçok kuş kış başlamadan önce güneye uçar.",
    ],
}

FIRST_VALUES = {
    "presidential elections in Iran": [-0.1695, 0.0604, -0.0299, 0.0334, 0.027, 0.0118],
    "الانتخابات الرئاسية": [-0.1332, -0.002, -0.0749, 0.0915, -0.0487, -0.0694],
    "総選挙の結果": [-0.1618, 0.1137, 0.0149, 0.1558, 0.0372, 0.0445],
}


@pytest.fixture(scope="module")
def shipped():
    return load_encoder()


def test_first_values_are_those_stored(shipped):
    vectors = shipped.encode_queries(list(FIRST_VALUES))
    for vector, values in zip(vectors, FIRST_VALUES.values(), strict=True):
        np.testing.assert_allclose(vector[: len(values)], values, atol=2e-3)
        assert len(values) == 6


def test_translations_are_found_in_both_directions(shipped):
    vectors = {lang: shipped.encode_queries(texts) for lang, texts in SENTENCES.items()}
    right = {
        (asked, found): np.mean((vectors[asked] @ vectors[found].T).argmax(axis=1) == np.arange(8))
        for asked in vectors
        for found in vectors
        if asked != found
    }
    assert np.mean(list(right.values())) > 0.95  # chance is 0.125
    assert min(right.values()) >= 0.7


def test_a_question_finds_its_answer_among_all_languages(shipped):
    passages = [text for texts in SENTENCES.values() for text in texts]
    windows = shipped.encode_passages(passages)
    assert windows.owners.tolist() == list(range(len(passages)))
    scores = windows.vectors @ shipped.encode_queries(["train to the airport"])[0]
    best = np.argsort(-scores)[:10]
    assert np.mean(best % 8 == 6) >= 0.7


def test_files_fit_the_card_and_the_wheel(shipped):
    card = shipped.card
    folder = data_path("encoders") / card.files
    assert sum(file.stat().st_size for file in folder.iterdir()) < 24_000_000
    assert {"en", "de", "fr", "es", "ru", "ar", "zh", "ja", "hi", "fa", "sw", "ko"} <= set(card.languages)
    assert all(0 <= score <= 1 for score in card.languages.values())
    assert all(source.licence and "NC" not in source.licence.split() for source in card.sources)


def test_fingerprint_is_that_of_the_files(shipped):
    from xsearch.encode.static import fingerprint

    assert fingerprint(shipped._pieces, shipped._table, shipped.card.window) == shipped.card.fingerprint
