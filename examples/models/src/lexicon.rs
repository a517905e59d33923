//! The words that the model knows, and which of them it never meets in which role while it is trained.

/// The kinds of things, each with its words. No word stands in two kinds.
pub const KINDS: [(&str, &str); 24] = [
    ("animal", "otter horse tiger rabbit camel donkey goat lion wolf fox bear zebra sheep cow pig monkey"),
    ("bird", "robin eagle raven duck goose swan owl parrot crow hawk pigeon stork heron gull wren finch"),
    (
        "insect",
        "ant bee wasp moth beetle cricket fly gnat hornet termite flea louse ladybird mosquito locust mantis",
    ),
    (
        "fruit",
        "apple pear plum cherry grape lemon mango peach banana melon fig lime apricot kiwi papaya quince",
    ),
    (
        "vegetable",
        "carrot onion leek cabbage spinach pea bean turnip celery lettuce pumpkin radish beetroot potato garlic kale",
    ),
    ("drink", "tea coffee milk juice water cocoa beer wine cider soda lemonade punch rum brandy gin whisky"),
    (
        "tool",
        "hammer saw drill chisel wrench pliers axe spade rake shovel file clamp plane mallet pick crowbar",
    ),
    (
        "vehicle",
        "car bus train tram lorry bicycle boat ship ferry taxi van truck plough wagon sledge scooter",
    ),
    ("garment", "coat shirt scarf glove hat sock skirt jacket jumper dress trousers vest cap boot shoe belt"),
    (
        "furniture",
        "table chair sofa bed desk stool bench cupboard wardrobe shelf drawer couch cabinet cradle armchair dresser",
    ),
    (
        "instrument",
        "piano violin flute drum guitar harp trumpet cello oboe organ banjo tuba clarinet lute horn bagpipe",
    ),
    (
        "metal",
        "iron copper gold silver tin lead zinc nickel steel bronze brass platinum mercury chrome titanium cobalt",
    ),
    (
        "colour",
        "red blue green yellow black white purple pink brown grey orange crimson violet beige turquoise scarlet",
    ),
    ("body", "hand foot arm leg head nose ear eye knee elbow shoulder neck back chin thumb toe"),
    (
        "job",
        "baker teacher doctor nurse farmer sailor tailor painter pilot lawyer barber cook judge miner plumber butcher",
    ),
    (
        "sport",
        "football tennis hockey rugby golf boxing rowing skiing judo fencing archery cycling swimming cricketing sailing running",
    ),
    (
        "building",
        "house church castle barn tower palace temple cottage school hospital library factory museum hotel prison theatre",
    ),
    (
        "weather",
        "rain snow wind fog storm hail frost sun cloud thunder mist drizzle sleet breeze gale rainbow",
    ),
    ("tree", "oak birch pine elm willow maple ash beech cedar fir poplar spruce larch alder hazel yew"),
    (
        "flower",
        "rose tulip daisy lily poppy orchid iris pansy daffodil lavender jasmine peony dahlia carnation bluebell primrose",
    ),
    (
        "family",
        "mother father sister brother uncle aunt cousin nephew niece son daughter grandmother grandfather wife husband twin",
    ),
    (
        "dish",
        "soup stew pie salad pizza curry omelette pudding porridge pancake sandwich dumpling noodle risotto goulash casserole",
    ),
    ("kitchen", "spoon fork knife plate bowl cup pan pot kettle ladle jug mug sieve grater saucer whisk"),
    (
        "land",
        "river lake hill mountain valley forest desert island beach cliff cave meadow swamp bay canyon glacier",
    ),
];

/// The last kinds of the list are never sorted by demonstrations in training: the model knows them only from
/// naming the kind of a word and from picking a word of a kind.
pub const NEVER_SORTED: usize = 4;

/// Names of groups into which words are sorted in training.
pub const LABELS: &str = "\
    atlas harbour lantern anchor compass pillar ribbon candle mirror feather \
    north south east west alpha beta gamma delta upper lower inner outer middle corner morning evening \
    spring summer autumn winter monday tuesday wednesday thursday friday sunday king queen prince circle \
    square triangle star moon planet comet coin stamp ticket letter paper glass stone wood silk wool \
    cotton salt sugar pepper honey butter fire smoke light shadow bridge gate road street garden arch \
    badge basket bell blanket bottle branch brick bucket bundle button cabin cable cage cake camp canal \
    card carpet carriage chain chalk chart chest clock cloth coal column crown curtain cushion dial \
    diamond dock dome dot echo edge engine envelope fabric fan fence field flag flame flask floor frame \
    gallery gem globe grain grid hall handle harvest heart helmet hook jewel journal key kite knot \
    ladder lamp leaf lens lever lock magnet mask mast medal merit mill mint moss motor nest net novel \
    oar ocean oven page panel parcel path pearl pen pencil petal photo pipe plank plaza poem pond port \
    post prism pulse pump puzzle rail ray record reef rock roof rope ruler sack sail satin scale screen \
    seal seed shell shield signal slope spark sphere spiral stack staff stair statue stem string tape \
    thread throne tile timber title torch track trail tray trophy tube tunnel turret valve vault verse \
    vine wall wave wax wheel window wing wire yard zone";

/// Names of groups that occur only in evaluation. In training they are words of lists.
pub const HELD_OUT_LABELS: &str = "marble velvet meteor canvas pebble beacon";

/// Names of input fields that hold one word or a phrase.
pub const INPUTS: &str = "word text item thing message note input phrase question entry";

/// Names of input fields that hold a list of words.
pub const LISTS: &str = "list words items line row series input text";

/// Names of output fields.
pub const OUTPUTS: &str = "answer label group output result team box tag choice topic class category";

/// Frames around a word. `_` stands for the word.
pub const PHRASES: [&str; 32] = [
    "my _ is here",
    "the _ is new",
    "we have a _",
    "look at this _",
    "the old _",
    "a small _",
    "i like the _",
    "where is the _",
    "no _ today",
    "one more _",
    "this _ is for you",
    "bring the _",
    "it was a _",
    "she has a _",
    "he wants the _",
    "they sold the _",
    "is that a _",
    "the _ again",
    "a word about the _",
    "please find my _",
    "the big _ and i",
    "that _ is not mine",
    "what a _",
    "do you know the _",
    "i think of the _",
    "a good _",
    "there is a _ in the way",
    "your _ has come",
    "you can have the _",
    "not the _ please",
    "our _ was late",
    "all about the _",
];

/// Words of a space-separated list.
pub fn words(list: &'static str) -> Vec<&'static str> {
    list.split_whitespace().collect()
}

/// The words of a kind.
pub fn of_kind(kind: usize) -> Vec<&'static str> {
    words(KINDS[kind].1)
}

/// All words of all kinds.
pub fn all_words() -> Vec<&'static str> {
    KINDS.iter().flat_map(|(_, list)| list.split_whitespace()).collect()
}

/// Whether two kinds are never told apart by demonstrations in training: about one pair in five.
pub fn held_out_pair(a: usize, b: usize) -> bool {
    let (a, b) = (a.min(b), a.max(b));
    a >= KINDS.len() - NEVER_SORTED
        || b >= KINDS.len() - NEVER_SORTED
        || hash(&format!("{a} {b}")).is_multiple_of(5)
}

/// FNV-1a, mixed: stable from version to version.
pub fn hash(text: &str) -> u64 {
    let h = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    (h ^ (h >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_word_has_one_role() {
        let mut all = all_words();
        all.extend(words(LABELS));
        all.extend(words(HELD_OUT_LABELS));
        all.extend(KINDS.iter().map(|(name, _)| *name));
        let distinct: HashSet<_> = all.iter().collect();
        let mut twice = all.clone();
        for word in &distinct {
            let at = twice.iter().position(|w| w == *word).unwrap();
            twice.swap_remove(at);
        }
        assert!(twice.is_empty(), "{twice:?}");
        assert!(KINDS.iter().all(|(_, list)| words(list).len() == 16));
    }

    #[test]
    fn some_pairs_of_kinds_are_held_out_and_most_are_not() {
        let n = KINDS.len() - NEVER_SORTED;
        let pairs = (0..n).flat_map(|a| (0..a).map(move |b| (a, b)));
        let held = pairs.clone().filter(|(a, b)| held_out_pair(*a, *b)).count();
        assert!((25..60).contains(&held), "{held} of {}", pairs.count());
    }
}
