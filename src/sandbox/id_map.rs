//! A map by id. Copies share what neither of them has changed since.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Ids of this many bits go into one chunk. A change copies the chunk if another map has it, too.
const BITS: u32 = 7;
const MASK: i64 = (1 << BITS) - 1;

/// Values by id, in chunks that copies of the map share.
#[derive(Clone, Debug)]
pub(crate) struct IdMap<T> {
    chunks: BTreeMap<i64, Arc<Vec<Option<T>>>>,
    len: usize,
}

impl<T> Default for IdMap<T> {
    fn default() -> Self {
        Self { chunks: BTreeMap::new(), len: 0 }
    }
}

fn place(id: i64) -> (i64, usize) {
    (id >> BITS, usize::try_from(id & MASK).unwrap_or_default())
}

fn id_at(chunk: i64, slot: usize) -> i64 {
    (chunk << BITS) | i64::try_from(slot).unwrap_or_default()
}

impl<T> IdMap<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, id: i64) -> Option<&T> {
        let (chunk, slot) = place(id);
        self.chunks.get(&chunk)?.get(slot)?.as_ref()
    }

    /// The values with these ids, ascending.
    pub(crate) fn range(&self, ids: RangeInclusive<i64>) -> impl Iterator<Item = (i64, &T)> {
        let chunks = (ids.start() <= ids.end())
            .then(|| self.chunks.range(ids.start() >> BITS..=ids.end() >> BITS));
        chunks.into_iter().flatten().flat_map(move |(&chunk, slots)| {
            let ids = ids.clone();
            let numbered = slots.iter().enumerate();
            numbered.filter_map(move |(slot, value)| {
                let id = id_at(chunk, slot);
                value.as_ref().filter(|_| ids.contains(&id)).map(|value| (id, value))
            })
        })
    }
}

impl<T: Clone> IdMap<T> {
    pub(crate) fn get_mut(&mut self, id: i64) -> Option<&mut T> {
        let (chunk, slot) = place(id);
        Arc::make_mut(self.chunks.get_mut(&chunk)?).get_mut(slot)?.as_mut()
    }

    /// Sets a value and returns the one before.
    pub(crate) fn insert(&mut self, id: i64, value: T) -> Option<T> {
        let (chunk, slot) = place(id);
        let slots = Arc::make_mut(self.chunks.entry(chunk).or_default());
        if slots.len() <= slot {
            slots.resize(slot + 1, None);
        }
        let before = slots.get_mut(slot).and_then(|place| place.replace(value));
        self.len += usize::from(before.is_none());
        before
    }

    pub(crate) fn remove(&mut self, id: i64) -> Option<T> {
        self.get(id)?;
        let (chunk, slot) = place(id);
        let slots = Arc::make_mut(self.chunks.get_mut(&chunk)?);
        let before = slots.get_mut(slot)?.take();
        if slots.iter().all(Option::is_none) {
            self.chunks.remove(&chunk);
        }
        self.len -= usize::from(before.is_some());
        before
    }

    /// The value of an id, or a new one.
    pub(crate) fn entry(&mut self, id: i64, new: impl FnOnce() -> T) -> Option<&mut T> {
        if self.get(id).is_none() {
            self.insert(id, new());
        }
        self.get_mut(id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::iter;

    use fastrand::Rng;

    use super::IdMap;

    #[test]
    fn it_does_what_any_map_does_and_leaves_copies_alone() {
        let mut random = Rng::with_seed(1);
        let (mut map, mut model) = (IdMap::default(), BTreeMap::new());
        let mut copies: Vec<(IdMap<i64>, BTreeMap<i64, i64>)> = Vec::new();
        for step in 0..5000_i64 {
            let id = match random.u8(0..10) {
                0 => random.i64(..),
                1 => [i64::MIN, -1, 0, i64::MAX][random.usize(0..4)],
                _ => random.i64(-300..300),
            };
            if random.u8(0..3) == 0 {
                assert_eq!(map.remove(id), model.remove(&id));
            } else if random.bool() {
                assert_eq!(map.insert(id, step), model.insert(id, step));
            } else {
                *map.entry(id, || 0).unwrap() += 1;
                *model.entry(id).or_insert(0) += 1;
            }
            assert_eq!(map.get(id), model.get(&id));
            assert_eq!(map.len(), model.len());
            if step % 500 == 0 {
                copies.push((map.clone(), model.clone()));
            }
        }
        for (map, model) in copies.into_iter().chain(iter::once((map, model))) {
            let ranges = [i64::MIN..=i64::MAX, -100..=100, 128..=255, 5..=5, i64::MIN..=-1];
            for ids in ranges {
                let found: Vec<_> = map.range(ids.clone()).collect();
                let expected: Vec<_> = model.range(ids).map(|(&id, value)| (id, value)).collect();
                assert_eq!(found, expected);
            }
            #[allow(clippy::reversed_empty_ranges, reason = "a filter may ask for it")]
            let nothing = map.range(3..=1).count();
            assert_eq!(nothing, 0);
        }
    }
}
