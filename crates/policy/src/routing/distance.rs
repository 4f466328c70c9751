//! How far apart two regions are: a table of where the clouds' regions stand, and the great circle between two of them.

/// Earth's mean radius in kilometres (IUGG).
const RADIUS: f64 = 6_371.0;

/// Regions as clouds and people write them, with latitude and longitude of the place in whole degrees. Sources: the
/// region lists of AWS, Google Cloud and Azure; coordinates of the named city or country.
const PLACES: &[(&str, i16, i16)] = &[
    ("us-east", 39, -77),
    ("us-east-1", 39, -77),
    ("us-east-2", 40, -83),
    ("us-west", 46, -120),
    ("us-west-1", 37, -122),
    ("us-west-2", 46, -120),
    ("us-central", 41, -96),
    ("us-central1", 41, -96),
    ("us-east1", 33, -80),
    ("us-east4", 39, -77),
    ("us-east5", 40, -83),
    ("us-south1", 33, -97),
    ("us-west1", 46, -121),
    ("us-west2", 34, -118),
    ("us-west3", 41, -112),
    ("us-west4", 36, -115),
    ("eastus", 37, -79),
    ("eastus2", 37, -78),
    ("centralus", 42, -94),
    ("northcentralus", 42, -88),
    ("southcentralus", 29, -98),
    ("westus", 38, -122),
    ("westus2", 47, -120),
    ("westus3", 33, -112),
    ("ca-central-1", 45, -74),
    ("northamerica-northeast1", 45, -74),
    ("canadacentral", 44, -79),
    ("canadaeast", 47, -71),
    ("sa-east", -24, -47),
    ("sa-east-1", -24, -47),
    ("southamerica-east1", -24, -47),
    ("brazilsouth", -24, -47),
    ("eu-west", 53, -6),
    ("eu-west-1", 53, -6),
    ("eu-west-2", 52, 0),
    ("eu-west-3", 49, 2),
    ("eu-central", 50, 9),
    ("eu-central-1", 50, 9),
    ("eu-central-2", 47, 9),
    ("eu-north", 59, 18),
    ("eu-north-1", 59, 18),
    ("eu-south-1", 45, 9),
    ("eu-south-2", 42, -1),
    ("europe-west1", 50, 4),
    ("europe-west2", 52, 0),
    ("europe-west3", 50, 9),
    ("europe-west4", 53, 7),
    ("europe-west6", 47, 9),
    ("europe-west8", 45, 9),
    ("europe-west9", 49, 2),
    ("europe-north1", 61, 27),
    ("europe-central2", 52, 21),
    ("europe-southwest1", 40, -4),
    ("northeurope", 53, -6),
    ("westeurope", 52, 5),
    ("uksouth", 52, 0),
    ("ukwest", 51, -3),
    ("francecentral", 49, 2),
    ("germanywestcentral", 50, 9),
    ("norwayeast", 60, 11),
    ("swedencentral", 61, 17),
    ("switzerlandnorth", 47, 9),
    ("italynorth", 45, 9),
    ("polandcentral", 52, 21),
    ("spaincentral", 40, -4),
    ("me-central-1", 25, 55),
    ("me-south-1", 26, 51),
    ("me-west1", 32, 35),
    ("uaenorth", 25, 55),
    ("il-central-1", 32, 35),
    ("af-south-1", -34, 18),
    ("africa-south1", -26, 28),
    ("southafricanorth", -26, 28),
    ("ap-south", 19, 73),
    ("ap-south-1", 19, 73),
    ("ap-south-2", 17, 78),
    ("asia-south1", 19, 73),
    ("centralindia", 19, 74),
    ("southindia", 13, 80),
    ("ap-southeast", 1, 104),
    ("ap-southeast-1", 1, 104),
    ("asia-southeast1", 1, 104),
    ("southeastasia", 1, 104),
    ("ap-southeast-2", -34, 151),
    ("australia-southeast1", -34, 151),
    ("australiaeast", -34, 151),
    ("ap-southeast-3", -6, 107),
    ("ap-southeast-4", -38, 145),
    ("ap-northeast", 36, 140),
    ("ap-northeast-1", 36, 140),
    ("asia-northeast1", 36, 140),
    ("japaneast", 36, 140),
    ("ap-northeast-2", 37, 127),
    ("asia-northeast3", 37, 127),
    ("koreacentral", 37, 127),
    ("ap-northeast-3", 35, 135),
    ("asia-northeast2", 35, 135),
    ("ap-east-1", 22, 114),
    ("asia-east1", 24, 121),
    ("asia-east2", 22, 114),
    ("eastasia", 22, 114),
];

/// Kilometres between two regions; 0 for one name, whatever it is. Unknown if the table does not have both.
#[must_use]
pub fn between(from: &str, to: &str) -> Option<u32> {
    if from == to {
        return Some(0);
    }
    let place = |name: &str| {
        let found = PLACES.iter().find(|(known, _, _)| *known == name);
        found.map(|&(_, latitude, longitude)| {
            (f64::from(latitude).to_radians(), f64::from(longitude).to_radians())
        })
    };
    let ((north, east), (other_north, other_east)) = (place(from)?, place(to)?);
    // The haversine formula is stable for small distances.
    let chord = ((other_north - north) / 2.0).sin().powi(2)
        + north.cos() * other_north.cos() * ((other_east - east) / 2.0).sin().powi(2);
    let kilometres = 2.0 * RADIUS * chord.sqrt().min(1.0).asin();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most half a circumference"
    )]
    let whole = kilometres.round() as u32;
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_a_globe() {
        assert_eq!(between("our-cellar", "our-cellar"), Some(0));
        assert_eq!(between("our-cellar", "eu-west"), None);
        let frankfurt_dublin = between("eu-central-1", "eu-west-1").unwrap();
        assert!((1_000..1_300).contains(&frankfurt_dublin), "{frankfurt_dublin}");
        let frankfurt_virginia = between("eu-central-1", "us-east-1").unwrap();
        assert!((6_300..6_800).contains(&frankfurt_virginia), "{frankfurt_virginia}");
        assert_eq!(between("us-east-1", "eu-central-1"), Some(frankfurt_virginia));
        assert_eq!(between("europe-west3", "eu-central-1"), Some(0));
    }

    #[test]
    fn no_place_stands_there_twice() {
        let mut names: Vec<_> = PLACES.iter().map(|(name, _, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PLACES.len());
    }
}
