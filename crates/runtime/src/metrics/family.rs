//! Series by label values, bounded whatever names the configuration or its history holds.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;

/// Longest label value, in bytes; longer names are cut, and those with the same start are one.
const MAX_VALUE: usize = 128;

/// A label value as a small number, to be looked up and compared without its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name(u32);

/// Stands for every value that found no room.
pub const OTHER: Name = Name(0);
/// The empty value, which Prometheus takes for no label at all.
const EMPTY: Name = Name(1);

/// The values of one label: the first so many, all others as one. Lookups take no lock; a new value copies the table.
#[derive(Debug)]
pub struct Names {
    known: ArcSwap<Known>,
    growing: Mutex<()>,
    most: usize,
    overflow: AtomicU64,
}

#[derive(Clone, Debug)]
struct Known {
    by_text: HashMap<Arc<str>, Name>,
    texts: Vec<Arc<str>>,
}

impl Names {
    /// Takes up to `most` values.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let known = Known { by_text: HashMap::new(), texts: vec!["other".into(), "".into()] };
        let known = ArcSwap::from_pointee(known);
        Self { known, growing: Mutex::default(), most, overflow: AtomicU64::new(0) }
    }

    /// The number of a value; no allocation for one that is known.
    pub fn of(&self, text: &str) -> Name {
        if text.is_empty() {
            return EMPTY;
        }
        let text = &text[..text.floor_char_boundary(MAX_VALUE)];
        self.find(text).unwrap_or_else(|| {
            let _turn = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
            self.find(text).unwrap_or_else(|| self.add(text))
        })
    }

    /// The number of a value that is known, or [`OTHER`] where there is no room for another; nothing for a new value
    /// that there is room for.
    fn find(&self, text: &str) -> Option<Name> {
        let known = self.known.load();
        match known.by_text.get(text) {
            None if known.by_text.len() >= self.most => {
                self.overflow.fetch_add(1, Ordering::Relaxed);
                Some(OTHER)
            }
            name => name.copied(),
        }
    }

    fn add(&self, text: &str) -> Name {
        let mut known = Known::clone(&self.known.load());
        let name = Name(u32::try_from(known.texts.len()).unwrap_or(OTHER.0));
        known.texts.push(clean(text));
        known.by_text.insert(text.into(), name);
        self.known.store(Arc::new(known));
        name
    }

    /// The text of a number that came from here.
    #[must_use]
    pub fn text(&self, name: Name) -> Arc<str> {
        let known = self.known.load();
        let text = usize::try_from(name.0).ok().and_then(|index| known.texts.get(index));
        text.map_or_else(|| "other".into(), Arc::clone)
    }

    /// How often a value found no room.
    #[must_use]
    pub fn overflow(&self) -> u64 {
        self.overflow.load(Ordering::Relaxed)
    }
}

/// Control characters are valid in a label and yet break parsers.
fn clean(text: &str) -> Arc<str> {
    let printable = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    text.chars().map(printable).collect::<String>().into()
}

/// The labels of one series.
pub trait SeriesKey: Copy + Eq + Hash {
    /// The series that takes what found no room: names become [`OTHER`], values of closed lists stay.
    #[must_use]
    fn overflow(self) -> Self;
}

impl SeriesKey for &'static str {
    fn overflow(self) -> Self {
        "other"
    }
}

/// The series of one metric: the first so many, all others in those of [`OTHER`]. Recording takes no lock, so that a
/// scrape, which reads for milliseconds, delays no request; a new series copies the table.
#[derive(Debug)]
pub struct Family<K, V> {
    series: ArcSwap<HashMap<K, Arc<V>>>,
    growing: Mutex<()>,
    most: usize,
    make: fn() -> V,
    overflow: AtomicU64,
}

impl<K: SeriesKey, V> Family<K, V> {
    /// Takes up to `most` series, besides those of [`OTHER`].
    #[must_use]
    pub fn new(most: usize, make: fn() -> V) -> Self {
        let series = ArcSwap::default();
        Self { series, growing: Mutex::default(), most, make, overflow: AtomicU64::new(0) }
    }

    /// Records in one series.
    pub fn record(&self, key: K, write: impl FnOnce(&V)) {
        {
            let series = self.series.load();
            if let Some(value) = series.get(&key) {
                return write(value);
            }
            let other = (series.len() >= self.most).then(|| series.get(&key.overflow())).flatten();
            if let Some(value) = other {
                self.overflow.fetch_add(1, Ordering::Relaxed);
                return write(value);
            }
        }
        write(&self.grown(key));
    }

    /// The series, made if it is still missing.
    fn grown(&self, key: K) -> Arc<V> {
        let _turn = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut series = HashMap::clone(&self.series.load());
        let full = series.len() >= self.most && !series.contains_key(&key);
        self.overflow.fetch_add(u64::from(full), Ordering::Relaxed);
        let key = if full { key.overflow() } else { key };
        let value = Arc::clone(series.entry(key).or_insert_with(|| Arc::new((self.make)())));
        self.series.store(Arc::new(series));
        value
    }

    /// Shows every series to `read`; stops at the first error.
    ///
    /// # Errors
    /// What `read` returned.
    pub fn each<E>(&self, mut read: impl FnMut(K, &V) -> Result<(), E>) -> Result<(), E> {
        self.series.load().iter().try_for_each(|(key, value)| read(*key, value))
    }

    /// How often something was recorded that found no room.
    #[must_use]
    pub fn overflow(&self) -> u64 {
        self.overflow.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    impl SeriesKey for (Name, u8) {
        fn overflow(self) -> Self {
            (OTHER, self.1)
        }
    }

    #[test]
    fn names_are_bounded_cut_and_printable() {
        let names = Names::new(3);
        let long = format!("{}{}", "x".repeat(127), "é".repeat(5_000));
        let [a, b, c] = ["a\nb\0c", &long, "chat"].map(|text| names.of(text));
        assert_eq!(&*names.text(a), "a\u{fffd}b\u{fffd}c");
        assert_eq!(*names.text(b), *"x".repeat(127), "cut between characters");
        assert_eq!((names.of("chat"), names.of(&format!("{long}more"))), (c, b));
        assert_eq!(names.of("a fourth"), OTHER);
        assert_eq!((&*names.text(OTHER), &*names.text(names.of(""))), ("other", ""));
        assert_eq!(names.overflow(), 1);
    }

    #[test]
    fn beyond_the_bound_nothing_is_lost_and_nothing_grows() {
        let (names, family) = (Names::new(1_000), Family::new(100, || AtomicU64::new(0)));
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let (names, family) = (&names, &family);
                scope.spawn(move || {
                    for n in 0..5_000_u32 {
                        let key = (names.of(&format!("{worker}-{n}")), u8::from(n % 2 == 0));
                        family.record(key, |count: &AtomicU64| {
                            count.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        let (mut series, mut sum) = (0, 0);
        let read = |_, count: &AtomicU64| {
            (series, sum) = (series + 1, sum + count.load(Ordering::Relaxed));
            Ok::<(), Infallible>(())
        };
        family.each(read).unwrap();
        assert_eq!(sum, 20_000);
        assert!((100..=102).contains(&series), "{series}");
        assert_eq!(names.overflow(), 19_000);
    }
}
