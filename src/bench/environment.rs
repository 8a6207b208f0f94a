//! What the figures were measured on.

use skinclf::Classifier;

/// The machine and the build.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct Environment {
    pub(super) cpu: String,
    pub(super) cpu_features: Vec<String>,
    pub(super) logical_cores: Option<usize>,
    pub(super) memory_bytes: Option<u64>,
    /// Which of them the network's kernels use; absent where no network was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) instruction_set: Option<String>,
    pub(super) os: String,
    pub(super) arch: String,
    pub(super) version: String,
    /// `release` or `debug`: figures of a debug build say nothing.
    pub(super) build: String,
}

impl Environment {
    pub(super) fn of(classifier: Option<&Classifier>) -> Self {
        Self {
            cpu: proc_field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            cpu_features: cpu_features().into_iter().map(str::to_owned).collect(),
            logical_cores: std::thread::available_parallelism().ok().map(Into::into),
            memory_bytes: memory_bytes(),
            instruction_set: classifier.map(|c| c.isa().to_owned()),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
        }
    }

    /// One line for people.
    pub(super) fn line(&self) -> String {
        let cores = self.logical_cores.map_or("?".to_owned(), |n| n.to_string());
        let memory = self.memory_bytes.map_or(String::new(), |b| format!(", {} GiB", b.div_ceil(1 << 30)));
        let Self { cpu, os, arch, version, build, .. } = self;
        let isa = self.instruction_set.as_ref().map_or(String::new(), |isa| format!(", kernels for {isa}"));
        format!("{cpu}, {cores} cores{memory}, {os} {arch}{isa}; skinclf {version}, {build} build")
    }
}

fn memory_bytes() -> Option<u64> {
    let kib = proc_field("/proc/meminfo", "MemTotal")?;
    kib.trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The value of the first `name : value` line of a file under /proc; `None` on other systems.
fn proc_field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let value_of = |line: &str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    };
    text.lines().find_map(value_of)
}

#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<&'static str> {
    let known = [
        ("avx", std::arch::is_x86_feature_detected!("avx")),
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ("avx512vnni", std::arch::is_x86_feature_detected!("avx512vnni")),
    ];
    known.into_iter().filter_map(|(name, present)| present.then_some(name)).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu_features() -> Vec<&'static str> {
    if cfg!(target_arch = "aarch64") { vec!["neon"] } else { Vec::new() }
}
