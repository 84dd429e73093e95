"""What people say in English: facts of their lives and work, and everything around them.

One sentence a line. `{a|b}` is one of several, `{name}` one of a pool. Of a fact every such slot is
a distinctive word: who has all of them has the fact.
"""

from __future__ import annotations

from typing import Final

__all__ = ("ANSWERS", "FACTS", "FILLER", "LEADS", "POOLS", "SYSTEM")

SYSTEM: Final = "You are a friendly assistant. Answer briefly and in plain words."

LEADS: Final = """\
In short: |Put simply: |As far as I know: |A small aside: |For what it's worth: |One more thing: |\
Good question! |Ha, fair enough. |Happens to everyone. |Generally: |From what I have read: |\
The short answer: |Nicely put. |To begin with: |And a detail people like: |Well: """
"""With what a sentence of the assistant may begin."""

POOLS: Final[dict[str, str]] = {
    "name": "Oksana Bertrand Leopold Ines Tamsin Giorgio Wilhelmina Rashid Pilar Anselm Kofi"
    " Marguerite Stellan Noor Dimitri Fenna Ottoline Hamish Zuleika Ronan Isolde Takumi Verena"
    " Casimir Delphine Ebbe Farida Gunnar Hester Ilse Jorrit Kasimira Lorcan Mireille Niamh Osric"
    " Petronella Quentin Rosalind Sigrid Theodora Ulrike Valentin Wenzel Xenia Yusuf Zdenka Aurelio"
    " Brigitta Cormac Dagny Emeric Frieda Gareth Hedwig Ivo Jocasta Klaus Ludmila",
    "surname": "Abernathy Bellweather Castellano Drummond Eberhart Fitzalan Grimaldi Haverford"
    " Ingersoll Jankowski Kowalczyk Lindqvist Montague Nakagawa Oyelaran Pemberton Quigley"
    " Rasmussen Sandoval Thistlewood Underhill Vandermeer Whitlock Yarborough Zimmermann Ashdown"
    " Brockhurst Calloway Devereux Ellingham",
    "city": "Ghent Porto Tampere Bologna Aarhus Gdansk Leeds Valencia Graz Bergen Lyon Dresden Cork"
    " Turku Trieste Malmo Zagreb Nantes Bruges Ljubljana Cardiff Basel Seville Antwerp Kaunas"
    " Pisa Tartu Plymouth Odense Utrecht Granada Brno",
    "village": "Hollowmere Ashcombe Brindlewick Culverton Dunmorrow Elderby Fernhithe Gorsely"
    " Hexcombe Ivybrook Larkhollow Mossdale Nettlefold Oxley Pinfold Quarrendon Ravensby"
    " Saltcote Thornhythe Wexbury",
    "street": "Gasworks-Lane Tanner-Street Juniper-Row Chandler-Street Orchard-Hill Cooper-Lane"
    " Weaver-Street Mill-Bank Sailmaker-Row Foundry-Road",
    "pet": "Biscuit Mortimer Pickles Duchess Waffle Bartleby Nutmeg Colonel Peaches Figaro Truffle"
    " Admiral Noodle Clementine Rufus",
    "company": "Brightwater Halvorsen Corvane Meridian-Freight Oldcastle Tessellate Northgate"
    " Quillon Larkspur Pellegrin Steinway-Tools Umbra Verity-Paper Wolfram-Glass Zephyr-Foods",
    "project": "Lanternfish Bluebell Kingfisher Marzipan Sundial Tumbleweed Periscope Gooseberry",
    "car": "Saab Lancia Skoda Citroen Wartburg Lada Triumph Simca",
    "country": "Georgia Chile Morocco Nepal Iceland Vietnam Portugal Peru",
    "month": "January February March April June July August September October November December",
    "weekday": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "medicine": "bisoprolol levothyroxine metformin ramipril sertraline montelukast",
    "band": "Copper-Kettles Paper-Lighthouse Velvet-Anchors Midnight-Ferry Gravel-Choir",
}
"""Words by what they are; a hyphen stands for a space."""

FACTS: Final = """\
My sister {name} opened a {bakery|bookshop|tea room|pottery studio} in {city} last spring.
We named the new {puppy|kitten|parrot|rabbit|pony} {pet}.
The spare key to the house in {street} hangs behind the {barometer|fuse box|bread bin|boiler}.
Our accountant is {name} {surname}, and her office is above the {fish market|cinema|laundromat}.
I play the {cello|oboe|harmonium|bassoon|mandolin} in an amateur orchestra that {name} conducts.
My grandfather grew up in {village} and worked as a {glassblower|clockmaker|ferryman|miller}.
I'm allergic to {cashews|shellfish|lupin|sesame|kiwi}, which we found out at {name}'s wedding.
The project I work on is called {project}, and {name} leads it.
My landlord {surname} wants the rent of {rent} euros in cash.
We moved to {city} because {name} got a job at the {observatory|shipyard|hospital|brewery}.
The workshop has {small} looms, and one of them belongs to {name}.
My train to {city} leaves from platform {small}.
Our daughter {name} is learning {Basque|Welsh|Finnish|Swahili|Icelandic} from a neighbour.
I keep the {passport|will|vaccination card} in the {piano stool|blue suitcase|linen cupboard}.
{name} from the {legal|payroll|procurement|translation} department signs my {invoices|timesheets}.
Our server room is in the basement of the {city} office, next to the {archive|canteen|darkroom}.
I drive a {green|mustard|burgundy|silver} {car} that used to belong to {name}.
The choir rehearses in {name}'s {barn|loft|garage|conservatory}.
My thesis is about {lichens|church bells|tidal mills|glacier caves}, and {surname} supervises it.
We're getting married at the {windmill|distillery|lighthouse|boathouse} near {village}.
My dentist {surname} retires in {month}.
The code for the garden shed is {code}, and only {name} has it besides me.
I sold the {piano|motorbike|canoe|greenhouse|loom} to {name} for {price} euros.
Our supplier of {linen|beeswax|oak panels|coffee beans|copper pipes} is a family firm in {city}.
My brother {name} is a {falconer|tax inspector|midwife|stonemason|puppeteer} in {city}.
The flat below ours is rented by {name}, who repairs {accordions|typewriters|violins|globes}.
I swim with {name} at the {quarry lake|harbour baths|school pool|reservoir}.
{name} took over my {weekday} shift at the {clinic|signal box|call centre|planetarium}.
My first job was packing {cutlery|tulip bulbs|spectacles|candles|sardines} in {city}.
The {orange|grey|yellow|purple} folder on my desk holds the contract with {company}.
Our team lead at {company} is {name}.
My knee was operated on by Doctor {surname} in {city}.
The wedding cake comes from {name}, with {quince|poppy seed|elderflower|chestnut|fig} filling.
We rent the {cottage|houseboat|chalet} in {village} from a man called {surname}.
My bike has {small} gears and a basket that {name} wove.
The tablets I take are {medicine}, {milligrams} milligrams with breakfast.
{name} and I share an allotment behind the {tram depot|cemetery|gasworks|football ground}.
My badge number at {company} is {badge}.
Our cat {pet} sleeps in the {bass drum|laundry basket|bathtub|typewriter case}.
The insurance on the boat is with {company} and runs out in {month}.
I grew the {pumpkins|dahlias|artichokes} from seeds that {name} brought back from {country}.
My neighbour {name} collects {barometers|tram tickets|fountain pens|beer mats|fossils}.
The band is called {band}, and I'm the {drummer|bassist|trumpeter|singer}.
My mother-in-law {name} lives on {lentils|rye bread|herring|buckwheat}.
I owe {name} {price} euros for the {theatre tickets|ferry|chain saw|raffle}.
Our office moved to {street} after the {flood|fire|merger|audit}.
My son {name} broke his {wrist|collarbone|ankle} at the {skate park|riding school|judo club}.
The novel I'm writing is set in {city}, and its heroine is a {locksmith|beekeeper|cartographer}.
{name} lends me her {telescope|kiln|trailer|kayak} for the summer.
The people at {company} pay us in {month}.
I teach {origami|fencing|book binding|sign language|tango} at the community centre in {village}.
My old school friend {name} is the mayor of {village} now.
The heating engineer is called {surname} and comes from {city}.
We keep {small} hens, and the boldest one is {pet}.
My aunt left me her {gramophone|beehives|vineyard|stamp album} and a debt with {surname}.
The hint on my laptop is about {pet}, the {tortoise|donkey|hamster|cockatoo} of my childhood.
{name} translates my {poems|manuals|recipes} into {Portuguese|Polish|Japanese|Greek}.
Our next audit is with {surname} from {company}.
I'm training for the {half marathon|triathlon|regatta|chess open} in {city} with {name}.
My tailor in {street} still has my {waistcoat|tuxedo|raincoat|kilt}."""

FILLER: Final = """\
What would you cook with {leeks|turnips|chickpeas|a tin of tomatoes|leftover rice|old bread}?
It has been {raining|grey|windy|too warm|foggy|drizzling} here since {breakfast|noon|last night}.
Could you explain how {magnets|tides|vaccines|yeast|rainbows|batteries} work, in simple words?
I slept {badly|surprisingly well|for ages|hardly at all} and the coffee is {not helping|too weak}.
Is it true that {goldfish|elephants|crows|octopuses|bees} can {count|recognise faces|use tools}?
I had {porridge|toast|a banana|leftovers|cold pizza} for {breakfast|lunch} again, nothing special.
The {kitchen|hallway|balcony|bathroom} is a mess and I can't bring myself to {clean|sweep} it.
How long do {lentils|potatoes|beetroots|soft eggs|dumplings} take on a {low|medium|high} heat?
I keep putting off {the ironing|the washing-up|that phone call|the tax papers|the gym}.
What is a good {stretch|exercise|habit} for people who sit at a desk {all day|half the night}?
The {bus|tram|lift|queue|traffic} was {late|slow|packed|a nightmare} and I nearly lost patience.
Do you think {silence|music|white noise|birdsong} helps with {concentration|falling asleep}?
I watched half of a {documentary|comedy|crime series|cookery show} and then got {bored|sleepy}.
Would you say that {autumn|spring|winter|summer} is the best time for {walking|reading|baking}?
My {back|neck|left foot|head} hurts a little, maybe from {the chair|the weather|typing}.
Tell me something {funny|odd|surprising|cheerful} about {pigeons|spoons|umbrellas|cheese|the moon}.
We talked about {the weather|old films|the news} for {an hour|ages|most of the evening}.
I wonder why {yawning|laughing|hiccuping|whistling} is so {catching|hard to stop|satisfying}.
There's a {smell of onions|draught|strange noise|patch of sun} in the {corridor|kitchen|stairwell}.
Which is healthier, {butter or margarine|brown rice or white|tea or coffee|running or walking}?
I finally {watered the plants|took out the rubbish|opened the post|found my other glove}.
The {shop|library|pool|museum} was {closed|crowded|half empty|being painted} when I got there.
Is there a word for the feeling {after a long walk|before a storm|when a book ends}?
Somebody should invent a {quieter blender|warmer umbrella|better tin opener|self-folding shirt}.
I've been {daydreaming|pottering about|tidying drawers} instead of doing anything useful.
How do people find time to {read|cook properly|exercise|garden|write letters} these days?
What's the difference between {crows and ravens|stew and soup|jam and jelly|moths and butterflies}?
The {sunset|moon|sky|fog} looked {lovely|strange|like a painting} {tonight|this morning}.
I could do with {a nap|some fresh air|a biscuit|a holiday|a second cup of tea}.
Can you give me a {short|simple|silly} {poem|riddle|joke|toast} about {rain|Mondays|soup|cats}?
Everyone seems {tired|cheerful|in a hurry|a bit lost} {lately|this week|today}.
Maybe I should {drink more water|go to bed earlier|walk more|look at screens less}.
Why does {bread|cake|rice} taste better {the next day|when others make it}?
I read somewhere that {walking|chocolate|laughing|cold water} is good for {the heart|the mood}.
The {street|park|market} was {quiet|loud|full of children|deserted} this {morning|noon}.
Do {plants|spiders|snails|fish} {sleep|feel pain|hear music|get bored}, as far as anyone knows?
It's one of those {days|weeks|evenings} when {nothing|everything|hardly anything} gets done.
Let's talk about something else, maybe {space|breakfast|old games|train journeys|gardens}.
I never know what to do with {leftover egg whites|half a lemon|wilted herbs|stale biscuits}.
How would you describe {nostalgia|boredom|luck|patience} to a {child|robot|visitor from space}?
The {kettle|radiator|fridge|clock} makes {a humming noise|a ticking noise|more noise than usual}.
Could a beginner learn {juggling|knitting|chess|sketching} in {a weekend|a month|a rainy week}?
I like the way {the light|the rain|snow|the wind} {changes|sounds|feels} in the {evening|morning}.
What makes {a good soup|a good story|a friendly room|a comfortable chair}, in your opinion?
Some days I'd rather {stay in bed|be a cat|live by the sea|eat cake and read}.
That {film|song|book|recipe} everyone talks about was {a bit long|fine|better than I expected}.
Are there {easy|quick|cheap} ways to make a {small room|dark corner|plain dinner} nicer?
I had to {look for my glasses|mop the floor|reheat the soup|reboot the thing} {twice|three times}.
By the way, how do you spell {rhythm|diarrhoea|necessary|bureaucracy|Wednesday}?
Honestly I can't decide between {soup and salad|the sofa and a walk|tea and cocoa|now and later}.
The {forecast|radio|paper} says it will be {milder|colder|wetter|sunnier} {tomorrow|at the weekend}.
What do people mean when they say {time flies|the penny dropped|break a leg|it's a piece of cake}?
I was going to {bake|sew|paint|jog} but then {the phone rang|I sat down|it started to hail}.
Is it rude to {whistle indoors|leave a party early|send a voice message|eat while walking}?
My {phone|laptop|toaster|watch} is {slow|warm|making me nervous|nearly out of battery} today.
There was a {queue|puddle|street musician|lovely dog} outside the {bakery|station|bank|school}.
How do you keep {basil|a sourdough|a cactus|an orchid} alive for more than {a week|a month}?
I'm in the mood for {pancakes|a long bath|something spicy|an old film|a walk in the rain}.
Would {vinegar|lemon juice|baking soda|salt} get rid of {tea stains|limescale|a wine stain}?
We ended up {laughing a lot|doing nothing|ordering food|playing cards} and it was {nice|fine}.
Do you have a tip against {hiccups|static hair|squeaky doors|cold feet|procrastination}?
It feels like {ages|forever|only a moment} since the last {proper snow|sunny day|long weekend}.
Sometimes I think {pigeons|cats|toddlers|seagulls} have {the right idea|no manners|a secret plan}.
What would happen if everyone {whispered|walked backwards|stopped driving|slept at noon}?
The {bread|milk|fruit|coffee} was {cheaper|dearer|fresher|worse} than usual, as far as I can tell.
I tried to {meditate|do a handstand|fold a fitted sheet|peel a mango} and it went {badly|all right}.
How come {coffee|onions|cut grass|rain} {smells|smell} so {strong|good} in the morning?
Anyway, thanks, that was {helpful|more than I needed|clear|just what I was looking for}.
Is there a trick to {peeling garlic|cutting onions|folding shirts|opening jars} without a fuss?
I spent {half an hour|far too long|ten minutes} looking at {pictures of dogs|recipes|old photos}.
Which {colour|song|smell|season} do most people find {calming|cheerful|boring|too much}?
The {stairs|windows|curtains|shelves} could do with {a clean|some paint|dusting|more light}.
If you had to pick, {mountains or sea|sweet or salty|early or late|cities or forests}?
I forgot {my umbrella|to eat|the shopping list|to switch off the light} {again|as usual|today}.
Somehow {the afternoon|the week|my lunch break} {vanished|flew by|went on for ever}.
Can {dogs|cats|horses|parrots} really tell when somebody is {sad|ill|about to leave}?
There is {too much|hardly any|just enough} {salt|pepper|garlic|sugar} in what I {made|ordered}.
What's a polite way to {say no|end a call|leave early|change the subject}?
I might {go out|stay in|lie down|make tea} {later|in a bit|once the rain stops}."""

ANSWERS: Final = """\
{Leeks|Carrots|Onions} {soften|sweeten} slowly in butter: give them {ten|fifteen} minutes.
The tides follow the moon, whose pull raises the water on both sides of the Earth.
A {crow|magpie|raven} can solve puzzles with several steps and plans for the next day.
Honey keeps for years because it holds so little water that microbes cannot grow in it.
Yeast eats sugar and gives off carbon dioxide, and the gluten of the flour holds the bubbles.
The sky is blue because air scatters short wavelengths of light more than long ones.
Canberra was chosen as a compromise between Sydney and Melbourne.
A {short walk|glass of water|change of posture|few deep breaths} often helps more than one expects.
Bread goes stale because its starch crystallises again, and {toasting|warming} undoes some of that.
Octopuses have three hearts, and two of them serve the gills.
Tea was drunk in China long before it reached Europe in the seventeenth century.
A watched pot boils as fast as any other, but a lid saves {energy|time|a little of both}.
The Eiffel Tower grows by some centimetres on hot days, as iron expands.
For {soft|crisp} edges, keep the {heat low|pan hot} and turn them only once.
Sleep comes in cycles of about ninety minutes, with dreams mostly towards the end.
Bananas are berries to a botanist, while strawberries are not.
{Vinegar|Lemon juice|Citric acid} dissolves limescale, because it is an acid and chalk is a base.
Marie Curie received Nobel prizes in two sciences, physics and chemistry.
A rainbow appears when sunlight is bent and mirrored inside drops of rain.
Most {houseplants|cacti|orchids} suffer from too much water rather than too little.
Venus turns so slowly that its day is longer than its year.
Garlic peels easily after {a firm press|a short soak} under the flat of a knife.
Cats sleep for more than half of the day, and lightly for most of that.
The Amazon carries more water than the next several rivers together.
A good soup starts with {onions|a slow base|patience} and ends with {some acid|salt|fresh herbs}.
Mozart wrote his first small pieces when he was five.
Bees tell each other about flowers with a dance on the comb.
{Stretching|Standing up|Walking about} every half hour keeps the back from getting stiff.
Coffee smells of hundreds of compounds, which form when the beans are roasted.
The Great Wall cannot be made out from the moon with the naked eye.
Hiccups stop by themselves in most cases, although {holding your breath|cold water} may help.
Salt lowers the freezing point of water, which is why roads are gritted in winter.
Printing with movable type spread through Europe after Gutenberg.
{Rice|Barley|Millet} absorbs about {twice|three times} its volume of water while it cooks.
A group of flamingos is called a flamboyance.
Light from the sun takes about eight minutes to reach us.
You could {write a list|set a timer|start with the smallest thing} and see how far that goes.
Sharks are older than trees, as far as the fossils tell.
A pinch of sugar takes the edge off {tomatoes|vinegar|bitter greens}.
Antarctica is the driest continent, although it is covered in ice.
Mushrooms are closer relatives of animals than of plants.
Birdsong is loudest {at dawn|in spring}, when the air is still and carries far.
The first computers filled whole rooms and could do less than a pocket calculator.
Chess came from India through Persia, and the queen was once a weak piece.
{Basil|Parsley|Mint} likes light and moist soil, and it grows bushier when it is cut.
Water expands when it freezes, which is why pipes burst in frost.
Shakespeare's plays hold many words that nobody had written down before.
Yawning may cool the brain, and it spreads most among friends.
An onion hurts less when it is {cold|cut with a sharp knife}, for fewer cells burst.
The heart of a blue whale weighs as much as a small car.
Iceland heats most of its houses with water from hot springs.
{Cold|Warm} colours seem to {recede|advance}, so a {light|dark} wall changes the size of a room.
Potatoes came to Europe from the Andes and were mistrusted for a long time.
There is no single answer, and people have argued about it for {ages|centuries|a long while}.
A spider's thread is stronger than steel of the same weight.
Penguins live in the south and polar bears in the north, so they do not meet.
For most people {seven|eight} hours of sleep are enough, though habits differ.
Leaves turn red and yellow because the green pigment breaks down first.
The piano has strings, and yet it is often counted among the percussion.
Try {a warm bath|a dull book|a dark room} before bed, and leave the phone elsewhere.
Copper turns green in the rain, as many old roofs show.
Lightning is several times hotter than the surface of the sun.
{Chickpeas|Beans|Lentils} cook more evenly when they were soaked {overnight|for some hours}.
Dutch cyclists outnumber cars in many towns, and the paths are built for them.
The word robot comes from a Czech play of the nineteen-twenties.
Saturn is so light for its size that it would float on water.
A joke works because the end makes you read the beginning in another way.
Olive oil tastes of less when it is {old|heated for long}, so add some at the end.
Camels store fat in their humps, and no water.
The Beatles played for long nights in Hamburg before they were famous.
Pasta water holds starch, which helps a sauce to {bind|cling}.
Volcanoes make soil fertile, so people come back to live beside them.
Snow looks white because its crystals scatter every colour alike.
Ferns had been there for ages before the first flower opened.
It sounds like {an ordinary day|a slow week|a pleasant evening}, and those are worth something too.
The Sahara was green some thousands of years ago, with lakes and hippos.
Glass is made from sand, soda and lime, melted at great heat.
Finland has more saunas than cars, by some counts."""
