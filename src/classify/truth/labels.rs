//! The file of `--truth`: what each image shows, told by its name.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use csv::StringRecord;
use skinclf::ModelSpec;

use super::names::Names;
use crate::classify::inputs::EXTENSIONS;

/// Labels by image, which is named without folder and extension.
pub(super) struct Labels {
    by_stem: BTreeMap<String, Label>,
    tell_lesions: bool,
}

/// What one row says, and what became of it.
pub(super) struct Label {
    /// `None` if it is no class of the model.
    pub(super) class: Option<usize>,
    /// A number for each `lesion_id`.
    pub(super) lesion: Option<usize>,
    /// The class as it is written.
    text: String,
    met: bool,
    pub(super) scored: bool,
}

impl Labels {
    /// Reads HAM10000's columns (`image` or `image_id`, `dx`) or ISIC's (`image` and one for each class, 0 or 1),
    /// in any order and among others, with or without `lesion_id`.
    ///
    /// # Errors
    /// When the file cannot be read, is no such table, or says two things of one image.
    pub(super) fn read(path: &Path, spec: &ModelSpec) -> anyhow::Result<Self> {
        let name = || format!("--truth {}", path.display());
        let file = File::open(path).context("cannot be read").with_context(name)?;
        Self::parse(file, spec).with_context(name)
    }

    fn parse(file: impl Read, spec: &ModelSpec) -> anyhow::Result<Self> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
        let columns = Columns::find(reader.headers()?, spec)?;
        let mut labels = Self { by_stem: BTreeMap::new(), tell_lesions: columns.lesion.is_some() };
        let mut lesions = HashMap::new();
        for row in reader.records() {
            let row = row?;
            let line = row.position().map_or(0, csv::Position::line);
            let text = columns.class(&row).with_context(|| format!("line {line}"))?;
            let lesion = columns.lesion.and_then(|column| row.get(column)).filter(|id| !id.is_empty());
            let label = Label {
                class: spec.labels.iter().position(|l| l.code.eq_ignore_ascii_case(&text)),
                lesion: lesion.map(|id| {
                    let next = lesions.len();
                    *lesions.entry(id.to_owned()).or_insert(next)
                }),
                text,
                met: false,
                scored: false,
            };
            let stem = stem_of_label(row.get(columns.image).unwrap_or_default());
            if let Some(other) = labels.by_stem.get(stem) {
                label.refuse_difference(other, stem).with_context(|| format!("line {line}"))?;
            } else {
                labels.by_stem.insert(stem.to_owned(), label);
            }
        }
        Ok(labels)
    }

    /// The label of an image, which is thereby known to have been there.
    pub(super) fn of_image(&mut self, name: &str) -> Option<&mut Label> {
        let stem = Path::new(name).file_stem()?.to_string_lossy();
        let label = self.by_stem.get_mut(&*stem)?;
        label.met = true;
        Some(label)
    }

    /// Whether images of one lesion are told.
    pub(super) fn tell_lesions(&self) -> bool {
        self.tell_lesions
    }

    /// Those that are no class of the model, and what they are.
    pub(super) fn unknown(&self) -> Names {
        let unknown = self.by_stem.iter().filter(|(_, label)| label.class.is_none());
        let texts: Vec<_> = unknown.map(|(stem, label)| format!("{stem} ({})", label.shown())).collect();
        texts.iter().map(String::as_str).collect()
    }

    /// Those that no image was met for.
    pub(super) fn without_image(&self) -> Names {
        self.by_stem.iter().filter(|(_, label)| !label.met).map(|(stem, _)| stem.as_str()).collect()
    }
}

impl Label {
    /// An error if the image has another label before.
    fn refuse_difference(&self, before: &Self, stem: &str) -> anyhow::Result<()> {
        if !self.text.eq_ignore_ascii_case(&before.text) {
            bail!(
                "{stem} is labelled {} here and {} before; leave one of the rows",
                self.shown(),
                before.shown()
            );
        }
        if self.lesion != before.lesion {
            bail!("{stem} has another lesion_id here than before; leave one of the rows");
        }
        Ok(())
    }

    fn shown(&self) -> &str {
        if self.text.is_empty() { "nothing" } else { &self.text }
    }
}

/// Where in a row what stands.
struct Columns {
    image: usize,
    lesion: Option<usize>,
    class: ClassColumns,
}

enum ClassColumns {
    Dx(usize),
    /// Each with its code.
    OneHot(Vec<(usize, String)>),
}

impl Columns {
    fn find(header: &StringRecord, spec: &ModelSpec) -> anyhow::Result<Self> {
        let column = |name: &str| header.iter().position(|title| plain(title).eq_ignore_ascii_case(name));
        let one_hot = spec.labels.iter().filter_map(|l| Some((column(&l.code)?, l.code.clone())));
        let class = match column("dx") {
            Some(dx) => Some(ClassColumns::Dx(dx)),
            None => {
                Some(one_hot.collect()).filter(|found: &Vec<_>| found.len() > 1).map(ClassColumns::OneHot)
            }
        };
        let image = column("image").or_else(|| column("image_id"));
        let (Some(image), Some(class)) = (image, class) else {
            let codes: Vec<_> = spec.labels.iter().map(|l| l.code.to_uppercase()).collect();
            return Err(anyhow!(
                "needs a header with the columns image (or image_id) and dx, or image and {}; it has: {}",
                codes.join(", "),
                header.iter().map(|title| title.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
            ));
        };
        Ok(Self { image, lesion: column("lesion_id"), class })
    }

    /// The class that a row names; empty if it names none.
    fn class(&self, row: &StringRecord) -> anyhow::Result<String> {
        let columns = match &self.class {
            ClassColumns::Dx(column) => return Ok(row.get(*column).unwrap_or_default().to_owned()),
            ClassColumns::OneHot(columns) => columns,
        };
        let mut found: Option<&str> = None;
        for (column, code) in columns {
            let value = row.get(*column).unwrap_or_default();
            match value.parse::<f64>() {
                Ok(0.0) => {}
                Ok(1.0) => {
                    if let Some(other) = found.replace(code) {
                        bail!("both {other} and {code} are 1; one class is needed");
                    }
                }
                _ => bail!("{} is {value:?}; 0 or 1 is needed", code.to_uppercase()),
            }
        }
        Ok(found.unwrap_or_default().to_owned())
    }
}

/// Without the mark that some programs put before a file's first character.
fn plain(title: &str) -> &str {
    title.trim_start_matches('\u{feff}')
}

/// An image's name without folder and, if it has that of an image, extension.
fn stem_of_label(name: &str) -> &str {
    let path = Path::new(name);
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let is_image = EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension));
    let stem = if is_image { path.file_stem() } else { path.file_name() };
    stem.and_then(|s| s.to_str()).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(csv: &str) -> anyhow::Result<Labels> {
        let spec = ModelSpec::parse(include_bytes!("../../../models/mobilenetv2.json")).expect("a spec");
        Labels::parse(csv.as_bytes(), &spec)
    }

    /// Name, index of the class and lesion of each.
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
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (csv, named) in [
            ("name,dx\na,mel\n", "it has: name, dx"),
            ("image,diagnosis\na,mel\n", "needs a header with the columns image (or image_id) and dx"),
            ("image,dx\na,mel\na,nv\n", "line 3: a is labelled nv here and mel before"),
            ("image,dx,lesion_id\na,mel,1\na,mel,2\n", "line 3: a has another lesion_id"),
            ("image,MEL,NV\na,1,1\n", "line 2: both mel and nv are 1"),
            ("image,MEL,NV\na,0.5,0\n", "line 2: MEL is \"0.5\""),
            ("image,dx\na\n", "line: 2"),
        ] {
            let error = parse(csv).err().unwrap_or_else(|| panic!("{csv:?} is read"));
            assert!(format!("{error:#}").contains(named), "{csv:?}: {error:#}");
        }
    }
}
