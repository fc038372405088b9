//! Texts of chance: keys, tokens, salts and the like. They come from the generator of the server, so
//! that a seed repeats them.

use fastrand::Rng;

/// Letters and digits.
pub(crate) fn text(random: &mut Rng, length: usize) -> String {
    std::iter::repeat_with(|| random.alphanumeric()).take(length).collect()
}

/// A UUID of the fourth version.
pub(crate) fn uuid(random: &mut Rng) -> String {
    uuid::Builder::from_random_bytes(random.u128(..).to_be_bytes()).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    #[test]
    fn a_seed_repeats_the_texts() {
        let texts = |seed| {
            let mut random = Rng::with_seed(seed);
            (super::text(&mut random, 20), super::uuid(&mut random))
        };
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
        let (text, uuid) = texts(1);
        assert_eq!(text.len(), 20);
        assert_eq!(uuid.parse::<uuid::Uuid>().unwrap().get_version_num(), 4);
    }
}
