//! The file of `--truth`: the true class of each image, by its name.

use std::collections::{BTreeMap, HashMap};
use std::io::{ErrorKind, Read};
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use bytesize::ByteSize;
use csv::StringRecord;
use skinclf::image::has_image_extension;
use skinclf::{ModelSpec, bounded};

use super::names::Names;
use crate::classify::inputs;
use crate::process::terminal::printable;

/// A million rows need less.
const LARGEST: ByteSize = ByteSize::mib(64);

/// The labels by name of the image, without folder and extension.
pub(super) struct Labels {
    by_stem: BTreeMap<String, LabelRow>,
    tell_lesions: bool,
    lacking: Vec<String>,
}

/// One row, and whether its image was seen and scored.
pub(super) struct LabelRow {
    /// `None` if it is not a class of the model.
    pub(super) class: Option<usize>,
    /// A number for each `lesion_id`.
    pub(super) lesion: Option<usize>,
    /// The class as written in the file.
    text: String,
    met: bool,
    pub(super) scored: bool,
}

impl Labels {
    /// Reads HAM10000's columns (`image` or `image_id`, `dx`) or ISIC's (`image` and one for each class, 0 or 1),
    /// in any order, with or without `lesion_id`; other columns are ignored.
    ///
    /// # Errors
    /// When the file cannot be read, has other columns, or has different labels for one image.
    pub(super) fn read(path: &Path, spec: &ModelSpec) -> anyhow::Result<Self> {
        let name = || format!("--truth {}", path.display());
        let file = inputs::open(path).and_then(|file| Ok(bounded::read(file, 0, LARGEST.as_u64())?));
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::FileTooLarge => anyhow!("{error}; expected a CSV file with one row per image"),
            _ => anyhow!(error).context("cannot be read"),
        });
        Self::parse(&*file.with_context(name)?, spec).with_context(name)
    }

    fn parse(file: impl Read, spec: &ModelSpec) -> anyhow::Result<Self> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
        let columns = Columns::find(reader.headers().map_err(explained)?, spec)?;
        let mut labels = Self {
            by_stem: BTreeMap::new(),
            tell_lesions: columns.lesion.is_some(),
            lacking: columns.lacking(spec),
        };
        let mut lesions = HashMap::new();
        for row in reader.records() {
            let row = row.map_err(explained)?;
            let line = row.position().map_or(0, csv::Position::line);
            let text = columns.class(&row).with_context(|| format!("line {line}"))?;
            let lesion = columns.lesion.and_then(|column| row.get(column)).filter(|id| !id.is_empty());
            let label = LabelRow {
                class: spec.labels.iter().position(|l| l.code.eq_ignore_ascii_case(&text)),
                lesion: lesion.map(|id| {
                    let next = lesions.len();
                    *lesions.entry(id.to_owned()).or_insert(next)
                }),
                text,
                met: false,
                scored: false,
            };
            let image = row.get(columns.image).unwrap_or_default();
            let stem = stem(image);
            if stem.is_empty() {
                bail!("line {line}: the image name is missing");
            }
            if let Some(other) = labels.by_stem.get_mut(stem) {
                label.refuse_difference(other, image).with_context(|| format!("line {line}"))?;
                other.lesion = other.lesion.or(label.lesion);
            } else {
                labels.by_stem.insert(stem.to_owned(), label);
            }
        }
        Ok(labels)
    }

    /// The label of an image, which is marked as seen.
    pub(super) fn of_image(&mut self, name: &str) -> Option<&mut LabelRow> {
        // A file that is given by its own name may have any extension.
        let bare = Path::new(name).file_stem()?.to_string_lossy();
        let stem = [stem(name), &bare].into_iter().find(|stem| self.by_stem.contains_key(*stem))?;
        let label = self.by_stem.get_mut(stem)?;
        label.met = true;
        Some(label)
    }

    pub(super) fn tell_lesions(&self) -> bool {
        self.tell_lesions
    }

    /// Classes of the model for which a file with one column per class has no column.
    pub(super) fn lacking(&self) -> &[String] {
        &self.lacking
    }

    /// Images whose label is not a class of the model, with the label.
    pub(super) fn unknown(&self) -> Names {
        let unknown = self.by_stem.iter().filter(|(_, label)| label.class.is_none());
        let texts: Vec<_> = unknown.map(|(stem, label)| format!("{stem} ({})", label.shown())).collect();
        texts.iter().map(String::as_str).collect()
    }

    pub(super) fn without_image(&self) -> Names {
        self.by_stem.iter().filter(|(_, label)| !label.met).map(|(stem, _)| stem.as_str()).collect()
    }
}

impl LabelRow {
    /// Fails if an earlier row has another label for the image.
    fn refuse_difference(&self, before: &Self, image: &str) -> anyhow::Result<()> {
        const ADVICE: &str =
            "keep one of the rows, or give the images different names: folder and extension are ignored";
        let image = printable(image);
        if !self.text.eq_ignore_ascii_case(&before.text) {
            let [here, before] = [self, before].map(|label| printable(label.shown()));
            bail!("{image} is labelled {here} here and {before} in an earlier row; {ADVICE}");
        }
        if self.lesion.zip(before.lesion).is_some_and(|(here, before)| here != before) {
            bail!("{image} has another lesion_id here than in an earlier row; {ADVICE}");
        }
        Ok(())
    }

    fn shown(&self) -> &str {
        if self.text.is_empty() { "nothing" } else { &self.text }
    }
}

/// Which column holds what.
struct Columns {
    image: usize,
    lesion: Option<usize>,
    class: ClassColumns,
}

enum ClassColumns {
    Dx(usize),
    OneHot {
        /// Index of the column and code of the class.
        known: Vec<(usize, String)>,
        /// Other columns with their titles. They may be classes that the model does not have: ISIC 2019 has SCC
        /// and UNK.
        others: Vec<(usize, String)>,
    },
}

impl Columns {
    fn find(header: &StringRecord, spec: &ModelSpec) -> anyhow::Result<Self> {
        let column = |name: &str| header.iter().position(|title| plain(title).eq_ignore_ascii_case(name));
        let image = column("image").or_else(|| column("image_id"));
        let lesion = column("lesion_id");
        let class = column("dx").map(ClassColumns::Dx).or_else(|| {
            let known = spec.labels.iter().filter_map(|l| Some((column(&l.code)?, l.code.clone())));
            let known: Vec<_> = known.collect();
            let taken: Vec<_> = known.iter().map(|(column, _)| *column).chain(image).chain(lesion).collect();
            let others = header.iter().map(str::to_owned).enumerate();
            let others = others.filter(|(column, _)| !taken.contains(column)).collect();
            (known.len() > 1).then_some(ClassColumns::OneHot { known, others })
        });
        let (Some(image), Some(class)) = (image, class) else {
            if header.is_empty() {
                bail!("is empty");
            }
            let codes: Vec<_> = spec.labels.iter().map(|l| l.code.to_uppercase()).collect();
            let has: Vec<_> = header.iter().map(|title| title.escape_debug().to_string()).collect();
            let commas = if has.len() == 1 { "; columns are separated by commas" } else { "" };
            bail!(
                "needs a header with the columns image (or image_id) and dx, or image and {}; it has: {}{commas}",
                codes.join(", "),
                has.join(", ")
            );
        };
        Ok(Self { image, lesion, class })
    }

    fn lacking(&self, spec: &ModelSpec) -> Vec<String> {
        let ClassColumns::OneHot { known, .. } = &self.class else { return Vec::new() };
        let is_known = |code: &str| known.iter().any(|(_, known)| known == code);
        spec.labels.iter().filter(|l| !is_known(&l.code)).map(|l| l.code.to_uppercase()).collect()
    }

    /// The class of a row; empty if it has none.
    fn class(&self, row: &StringRecord) -> anyhow::Result<String> {
        let (known, others) = match &self.class {
            ClassColumns::Dx(column) => return Ok(row.get(*column).unwrap_or_default().to_owned()),
            ClassColumns::OneHot { known, others } => (known, others),
        };
        let mut found: Option<&str> = None;
        for (column, code) in known {
            let value = row.get(*column).unwrap_or_default();
            match value.parse::<f64>() {
                Ok(0.0) => {}
                Ok(1.0) => {
                    if let Some(other) = found.replace(code) {
                        bail!("both {other} and {code} are 1; expected one class per image");
                    }
                }
                _ => bail!("{} is {value:?}; expected 0 or 1", code.to_uppercase()),
            }
        }
        let is_one = |column: usize| row.get(column).is_some_and(|value| value.parse::<f64>() == Ok(1.0));
        let foreign = || others.iter().find(|(column, _)| is_one(*column)).map(|(_, title)| title.as_str());
        Ok(found.or_else(foreign).unwrap_or_default().to_owned())
    }
}

/// Says what to do about a file that cannot be read as CSV.
fn explained(error: csv::Error) -> anyhow::Error {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => anyhow!("is not UTF-8 text; save it as CSV UTF-8"),
        _ => error.into(),
    }
}

/// Without the byte order mark that some programs write first.
fn plain(title: &str) -> &str {
    title.trim_start_matches('\u{feff}')
}

/// The name of an image without folder and, if it is that of an image, extension.
fn stem(name: &str) -> &str {
    let path = Path::new(name);
    let stem = if has_image_extension(path) { path.file_stem() } else { path.file_name() };
    stem.and_then(|s| s.to_str()).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(csv: &str) -> anyhow::Result<Labels> {
        let spec = ModelSpec::parse(include_bytes!("../../../models/mobilenetv2.json")).expect("a spec");
        Labels::parse(csv.as_bytes(), &spec)
    }

    fn rows(csv: &str) -> Vec<(String, Option<usize>, Option<usize>)> {
        let labels = parse(csv).unwrap_or_else(|e| panic!("{csv:?}: {e:#}"));
        labels.by_stem.into_iter().map(|(stem, label)| (stem, label.class, label.lesion)).collect()
    }

    #[test]
    fn columns_are_found_by_name_in_either_form() {
        let row = |stem: &str, class, lesion| (stem.to_owned(), class, lesion);
        let wanted = [row("a", Some(4), Some(0)), row("b", Some(5), Some(1)), row("c", None, Some(0))];
        assert_eq!(
            rows("age,dx,lesion_id,image_id\n70,mel,L1,a\n60,NV,L2,b.jpg\n50,scc,L1,x/c.PNG\n"),
            wanted
        );
        let one_hot = "\u{feff}image,MEL,NV,BCC,AKIEC,BKL,DF,VASC,lesion_id\n\
                       a,1.0,0.0,0.0,0.0,0.0,0.0,0.0,L1\nb,0,1,0,0,0,0,0,L2\nc,0,0,0,0,0,0,0,L1\n";
        assert_eq!(rows(one_hot), wanted);
        assert_eq!(rows("image,dx\nv1.2,df\n"), [row("v1.2", Some(3), None)]);
        assert_eq!(rows("image,dx,lesion_id\na,df,\na,DF,\n"), [row("a", Some(3), None)]);
        assert_eq!(rows("image,dx,lesion_id\na,df,\na,df,L1\na,df,\n"), [row("a", Some(3), Some(0))]);
    }

    #[test]
    fn classes_of_other_challenges_are_named() {
        let labels =
            parse("image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK\na,0,0,0,1,0,0,0,0,0\nb,0,0,0,0,0,0,0,0,0\n");
        let labels = labels.expect("labels");
        assert_eq!(labels.lacking(), ["AKIEC"]);
        assert_eq!(labels.unknown().to_string(), "a (AK), b (nothing)");
        assert_eq!(parse("image,dx\na,ak\n").expect("labels").lacking(), [""; 0]);
    }

    #[test]
    fn an_image_is_found_by_its_name_without_folder_and_extension() {
        for (label, image) in [
            ("a", "x/a.jpg"),
            ("a.jpg", "a.PNG"),
            ("x/a.jpg", "y/a.jpg"),
            ("v1.2", "v1.2"),
            ("v1.2", "v1.2.jpg"),
            ("a", "a.dat"),
            ("-", "-"),
        ] {
            let mut labels = parse(&format!("image,dx\n{label},nv\n")).expect("labels");
            assert!(labels.of_image(image).is_some(), "{label} {image}");
        }
        assert!(parse("image,dx\nb,nv\n").expect("labels").of_image("a.jpg").is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (csv, named) in [
            ("name,dx\na,mel\n", "it has: name, dx"),
            ("image,diagnosis\na,mel\n", "needs a header with the columns image (or image_id) and dx"),
            ("image,dx\na,mel\na,nv\n", "line 3: a is labelled nv here and mel in an earlier row"),
            ("image,dx,lesion_id\na,mel,1\na,mel,2\n", "line 3: a has another lesion_id"),
            ("image,MEL,NV\na,1,1\n", "line 2: both mel and nv are 1"),
            ("image,MEL,NV\na,0.5,0\n", "line 2: MEL is \"0.5\""),
            (
                "image,dx\nx/a.jpg,mel\ny/a.jpg,nv\n",
                "line 3: y/a.jpg is labelled nv here and mel in an earlier row",
            ),
            ("image,dx\nx/a.jpg,mel\ny/a.jpg,nv\n", "folder and extension are ignored"),
            ("image,dx\n,mel\n", "line 2: the image name is missing"),
            ("image;dx\na;mel\n", "columns are separated by commas"),
            ("", "is empty"),
            ("image,dx\na\n", "line: 2"),
        ] {
            let error = parse(csv).err().unwrap_or_else(|| panic!("{csv:?} is read"));
            assert!(format!("{error:#}").contains(named), "{csv:?}: {error:#}");
        }
        let spec = ModelSpec::parse(include_bytes!("../../../models/mobilenetv2.json")).expect("a spec");
        let latin = Labels::parse(&b"image,dx\n\xe9,mel\n"[..], &spec).err().expect("an error");
        assert!(format!("{latin:#}").contains("save it as CSV UTF-8"), "{latin:#}");
    }
}
