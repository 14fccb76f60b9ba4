"""What people say in the sample: scenes, steps of which may be left out, and words to fill in."""

OPENINGS = (
    ("Hello, {name}.|Hi, {name}!|Good morning, {name}.", "Hello! How are you?|Hi! How are things?"),
    ("How are you today?|How have you been?", "Fine, thanks. And you?|Not bad. A bit tired."),
    ("I haven't seen you for {days} days.|Long time no see!", "I was away in {town}.|I was ill."),
    ("What weather!|What do you think of this {weather}?", "I like it, really.|It can't last."),
)
CLOSINGS = (
    ("Thank you very much.|Thanks for your help.|Thanks a lot.", "You're welcome.|Not at all."),
    ("I have to go now.|I must be off.", "See you {day}, then.|All right. Goodbye!|Take care!"),
    ("That's all. Thank you.|That will be all.", "Have a nice day!|Goodbye, and come again."),
)

# A scene is a list of steps: what one says, and what the other replies, each in several ways.
SCENES = {
    "shop": (
        (
            "I'm looking for a {thing}.|Do you have a {thing}?",
            "Yes, we have several {thing}s. What colour?|Of course. The {thing}s are over there.",
        ),
        (
            "Do you have one in {colour}?|I'd like a {colour} one.",
            "Here is a {colour} {thing}.|I'm afraid we only have {other} left.",
        ),
        (
            "How much is it?|What does this {thing} cost?",
            "It's {price} dollars.|{price} dollars, and it will last for years.",
        ),
        (
            "That's too expensive for me.|Could you make it cheaper?",
            "I can take off ten per cent.|The price is fixed, I'm sorry.",
        ),
        (
            "All right, I'll take it.|Good, I'll buy the {thing}.",
            "Do you pay in cash or by card?|Shall I wrap the {thing} for you?",
        ),
    ),
    "restaurant": (
        (
            "A table for {few}, please.|Is there a table for {few}?",
            "This way, please. Here is the menu.|Do you mind sitting by the window?",
        ),
        (
            "What do you recommend?|What is good here?",
            "The {dish} is very good today.|Most guests take the {dish}.",
        ),
        (
            "I'll have the {dish}, then.|Bring me the {dish}, please.",
            "And what would you like to drink?|The {dish} takes a quarter of an hour.",
        ),
        (
            "A glass of {drink}, please.|Just {drink}.",
            "One {drink}, coming at once.|We are out of {drink}, I'm afraid. Some water?",
        ),
        (
            "My {dish} is cold.|There is a hair in my {dish}!",
            "I'm so sorry. I'll bring you another.|I'll take it off the bill.",
        ),
        ("The bill, please.|Can I pay?", "That makes {price} dollars.|Together or separately?"),
    ),
    "directions": (
        (
            "Excuse me, where is the {place}?|How do I get to the {place}?",
            "Go straight on and turn {side} at the bridge.|The {place}? It's next to the church.",
        ),
        (
            "Is it far from here?|Can I walk to the {place}?",
            "No, {few} minutes on foot.|It is. Take bus number {number}.",
        ),
        (
            "Where does bus {number} stop?|Where do I get off?",
            "At the corner, across the street.|At the {place}, the third stop.",
        ),
        (
            "When does the next bus come?|Is there a bus at this hour?",
            "In {few} minutes, if it is on time.|Every {few} minutes until midnight.",
        ),
    ),
    "doctor": (
        (
            "Doctor, my {part} hurts.|I have a pain in my {part}.",
            "How long has your {part} hurt?|Since when? Let me see your {part}.",
        ),
        (
            "For {days} days now.|It began on {day}.",
            "Did you lift anything heavy?|Do you have a temperature as well?",
        ),
        (
            "I can hardly sleep.|Is it something serious?",
            "I don't think so. You need rest.|We'll take an X-ray to be sure.",
        ),
        (
            "What should I take?|Do I need medicine?",
            "Take these pills {few} times a day.|Keep the {part} warm, that is enough.",
        ),
        ("Can I go to work?|May I do sports?", "Stay at home until {day}.|Not with that {part}."),
    ),
    "hotel": (
        (
            "I'd like a room for {few} nights.|Do you have a free room?",
            "Single or double?|For how many people?",
        ),
        (
            "A double room, please.|A single one with a bath.",
            "Room {number}, with a view of the sea.|That is {price} dollars a night.",
        ),
        (
            "Is breakfast included?|When is breakfast?",
            "Yes, from seven to ten.|It costs five dollars more.",
        ),
        (
            "The {fitting} in my room doesn't work.|There is no {fitting} in room {number}.",
            "I'll send somebody up to look at the {fitting}.|I'm sorry. You can have another room.",
        ),
        (
            "Could you wake me at {hour}?|I need a taxi at {hour}.",
            "Certainly, at {hour}.|I'll see to it. {hour}, room {number}.",
        ),
    ),
    "hobby": (
        (
            "What do you do in your free time?|Do you have a hobby?",
            "I play {game} with my friends.|I learn to play the {instrument}.",
        ),
        (
            "How often do you play?|Do you play every week?",
            "Every {day}.|As often as I can, but work comes first.",
        ),
        (
            "Is {game} hard to learn?|I never understood {game}.",
            "The rules are easy. To win is hard.|I'll show you {game} some day.",
        ),
        (
            "Do you like music?|What do you listen to?",
            "I like the {instrument} best.|Anything but the {instrument}.",
        ),
        (
            "Shall we go to a concert on {day}?|Are you free on {day}?",
            "I'd love to. When does it begin?|I can't on {day}. What about another day?",
        ),
    ),
    "work": (
        (
            "Where do you work?|What do you do for a living?",
            "I'm a {job}.|I work in {town}, as a {job}.",
        ),
        (
            "Do you like being a {job}?|Is it hard to be a {job}?",
            "The hours are long, but I like it.|A {job} meets all kinds of people.",
        ),
        (
            "How did the meeting go?|What did the boss say?",
            "We have to finish by {day}.|He wants {few} more people.",
        ),
        (
            "Can you help me with the report?|Have you read my report?",
            "Sure, I'll look at it on {day}.|Page {number} is missing.",
        ),
        (
            "I want to ask for more money.|I have been offered another job.",
            "Talk to the boss when he is in a good mood.|As a {job}? Think it over.",
        ),
    ),
    "travel": (
        (
            "Where are you going this summer?|Have you been to {town}?",
            "To {town}, for {few} weeks.|Not yet. What is {town} like?",
        ),
        (
            "How will you get there?|Do you fly to {town}?",
            "By {vehicle}. It's cheaper.|I take the {vehicle}, I'm afraid of flying.",
        ),
        (
            "A ticket to {town}, please.|One to {town}, and back.",
            "That is {price} dollars.|First or second class?",
        ),
        (
            "When does the {vehicle} leave?|Is the {vehicle} on time?",
            "At {hour}, from platform {few}.|It is {few} minutes late.",
        ),
        (
            "I have lost my {luggage}!|Somebody took my {luggage}.",
            "What does your {luggage} look like?|Ask at the lost property office.",
        ),
    ),
    "home": (
        (
            "The {fitting} is broken again.|Could you repair the {fitting}?",
            "I'll do it on {day}.|Call the landlord. It's his {fitting}.",
        ),
        (
            "What's for dinner?|I'm hungry.",
            "I am making {dish}.|There is some {dish} left from yesterday.",
        ),
        (
            "Who will do the dishes?|It's your turn to clean the kitchen.",
            "I did it {days} days ago!|All right, after the news.",
        ),
        (
            "We are out of {drink}.|Did you buy {drink}?",
            "I forgot. I'll go to the shop.|There are {few} bottles in the cellar.",
        ),
        (
            "Turn the music down, please.|Where is my {thing}?",
            "Sorry, I didn't notice.|Your {thing}? On the chair, where you left it.",
        ),
    ),
}

WORDS = {
    "name": "Anna Ben Clara David Emma Frank Grace Henry Iris Jack Kate Leo Mary Nick Olga Paul",
    "days": "two three four five six ten",
    "few": "two three four five six seven eight",
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "hour": "six seven eight nine ten noon",
    "number": "7 12 18 23 31 44 56 68 75 82 91",
    "price": "15 20 25 40 48 60 75 90 110 130 180 200",
    "town": "Paris Rome Oslo Vienna Dublin Prague Lisbon Cairo Boston Kyoto Lima Sydney",
    "weather": "rain snow heat wind fog storm",
    "thing": "coat hat jacket sweater bag watch umbrella lamp chair suit dress scarf",
    "colour": "red blue green black white brown grey yellow",
    "other": "purple orange pink beige",
    "dish": "soup steak fish pasta salad chicken pizza rice omelette stew",
    "drink": "wine beer juice tea coffee lemonade milk",
    "place": "museum station library hospital market theatre bank airport school park castle zoo",
    "side": "left right",
    "part": "back knee head shoulder stomach foot tooth throat wrist ear",
    "fitting": "heater shower window lamp tap television fridge lock oven",
    "game": "chess tennis football cards golf badminton hockey darts",
    "instrument": "piano violin guitar flute cello trumpet drums",
    "job": "teacher nurse cook driver lawyer painter farmer baker pilot clerk",
    "vehicle": "train bus ship car ferry",
    "luggage": "suitcase passport wallet camera ticket phone",
}
