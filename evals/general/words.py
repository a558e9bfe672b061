"""What the questions of ``general`` are made of: facts and words that were written down, not drawn."""

from __future__ import annotations

CAPITALS = {
    "Austria": "Vienna", "Belgium": "Brussels", "Canada": "Ottawa", "Chile": "Santiago", "Cuba": "Havana", "Denmark": "Copenhagen",
    "Egypt": "Cairo", "Finland": "Helsinki", "France": "Paris", "Germany": "Berlin", "Greece": "Athens", "Hungary": "Budapest",
    "Iceland": "Reykjavik", "Ireland": "Dublin", "Italy": "Rome", "Japan": "Tokyo", "Kenya": "Nairobi", "Norway": "Oslo",
    "Peru": "Lima", "Poland": "Warsaw", "Portugal": "Lisbon", "Spain": "Madrid", "Sweden": "Stockholm", "Thailand": "Bangkok",
}  # fmt: skip
SYMBOLS = {
    "gold": "Au", "silver": "Ag", "iron": "Fe", "oxygen": "O", "hydrogen": "H", "carbon": "C", "sodium": "Na", "helium": "He",
    "copper": "Cu", "lead": "Pb", "nitrogen": "N", "tin": "Sn",
}  # fmt: skip
CONTINENTS = {
    "Brazil": "South America", "Argentina": "South America", "Nigeria": "Africa", "Kenya": "Africa", "India": "Asia", "Japan": "Asia",
    "France": "Europe", "Norway": "Europe", "Canada": "North America", "Mexico": "North America",
}  # fmt: skip
FACTS = (  # question, answer, three wrong ones, other right forms
    ("How many legs does a spider have?", "8", ("6", "10", "4"), ("eight", "8 legs", "eight legs")),
    ("How many sides does a hexagon have?", "6", ("5", "7", "8"), ("six", "6 sides", "six sides")),
    ("How many minutes are in an hour?", "60", ("100", "24", "90"), ("sixty", "60 minutes", "sixty minutes")),
    ("Which planet is closest to the Sun?", "Mercury", ("Venus", "Mars", "Jupiter"), ()),
    ("Which planet is known for its large rings?", "Saturn", ("Mars", "Venus", "Mercury"), ()),
    ("What is the largest planet of the Solar System?", "Jupiter", ("Earth", "Saturn", "Neptune"), ()),
    ("What is frozen water called?", "ice", ("steam", "fog", "sand"), ()),
    ("What is a young cat called?", "kitten", ("puppy", "calf", "foal"), ("a kitten",)),
    ("What sweet food do bees make?", "honey", ("milk", "silk", "wool"), ()),
    (
        "Which ocean lies between Europe and North America?",
        "Atlantic",
        ("Pacific", "Indian", "Antarctic"),
        ("the Atlantic", "Atlantic Ocean", "the Atlantic Ocean"),
    ),
    (
        "What gas do plants take in from the air to grow?",
        "carbon dioxide",
        ("oxygen", "helium", "hydrogen"),
        ("CO2", "CO₂"),
    ),
    ("Which organ pumps blood through the body?", "heart", ("lung", "liver", "stomach"), ("the heart",)),
)
SPELLINGS = {"Santiago": ("Santiago de Chile",), "Reykjavik": ("Reykjavík",)}
TRANSLATIONS = {  # English: (German, French, Spanish, Italian), each first form preferred, others accepted
    "dog": ("Hund", "chien", "perro", "cane"),
    "cat": ("Katze", "chat", "gato", "gatto"),
    "house": ("Haus", "maison", "casa", "casa"),
    "water": ("Wasser", "eau", "agua", "acqua"),
    "bread": ("Brot", "pain", "pan", "pane"),
    "milk": ("Milch", "lait", "leche", "latte"),
    "book": ("Buch", "livre", "libro", "libro"),
    "tree": ("Baum", "arbre", "árbol", "albero"),
    "moon": ("Mond", "lune", "luna", "luna"),
    "sun": ("Sonne", "soleil", "sol", "sole"),
    "night": ("Nacht", "nuit", "noche", "notte"),
    "hand": ("Hand", "main", "mano", "mano"),
    "red": ("rot", "rouge", "rojo", "rosso"),
    "green": ("grün", "vert", "verde", "verde"),
    "white": ("weiß", "blanc", "blanco", "bianco"),
    "seven": ("sieben", "sept", "siete", "sette"),
    "ten": ("zehn", "dix", "diez", "dieci"),
    "fish": ("Fisch", "poisson", "pez", "pesce"),
    "school": ("Schule", "école", "escuela", "scuola"),
    "friend": ("Freund", "ami", "amigo", "amico"),
}
ALSO = {  # other right forms of a translation
    ("dog", "Spanish"): ("perra",),
    ("cat", "French"): ("chatte",),
    ("cat", "Spanish"): ("gata",),
    ("cat", "Italian"): ("gatta",),
    ("house", "Spanish"): ("hogar",),
    ("red", "Spanish"): ("roja",),
    ("red", "Italian"): ("rossa",),
    ("green", "French"): ("verte",),
    ("white", "French"): ("blanche",),
    ("white", "Spanish"): ("blanca",),
    ("white", "Italian"): ("bianca",),
    ("white", "German"): ("weiss",),
    ("fish", "Spanish"): ("pescado",),
    ("friend", "German"): ("Freundin",),
    ("friend", "French"): ("amie",),
    ("friend", "Spanish"): ("amiga",),
    ("friend", "Italian"): ("amica",),
}
ARTICLES = {
    "German": ("der ", "die ", "das ", "ein ", "eine "),
    "French": ("le ", "la ", "l'", "un ", "une "),
    "Spanish": ("el ", "la ", "un ", "una "),
    "Italian": ("il ", "lo ", "la ", "l'", "un ", "una "),
}
WORDS = (
    "apple basket candle desert engine forest garden hammer island jacket kettle ladder market needle orange pencil "
    "quarter ribbon saddle tunnel umbrella village window yellow bridge copper dinner finger ginger harbor insect jungle"
).split()
NAMES = "Anna Ben Carla David Emma Felix Greta Hugo Irene Jonas Karla Leo Maria Nils Olga Paul".split()
THINGS = "lamp chair kite drum clock scarf vase tent globe bell".split()
ROOMS = "kitchen cellar attic garage office hallway bedroom studio".split()
TOWNS = "Milbrook Harwick Ostend Larkfield Brenton Colby Dunmore Eastvale".split()
COLORS = "red blue green yellow black white brown purple".split()
