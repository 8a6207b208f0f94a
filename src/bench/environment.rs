//! The machine and the build that figures were measured with.

use skinclf::Classifier;

use super::words::counted;
use crate::procfs;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct Environment {
    pub(super) cpu: String,
    pub(super) cpu_features: Vec<String>,
    pub(super) logical_cores: Option<usize>,
    pub(super) memory_bytes: Option<u64>,
    /// That of the network's kernels; absent if no network was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) instruction_set: Option<String>,
    pub(super) os: String,
    pub(super) arch: String,
    pub(super) version: String,
    /// Cargo's profile: `release` or `dist`, or `debug`, whose figures mean nothing.
    pub(super) build: String,
}

impl Environment {
    pub(super) fn of(classifier: Option<&Classifier>) -> Self {
        Self {
            cpu: procfs::cpu_model().unwrap_or_else(|| "unknown".to_owned()),
            cpu_features: cpu_features().into_iter().map(str::to_owned).collect(),
            logical_cores: std::thread::available_parallelism().ok().map(Into::into),
            memory_bytes: procfs::machine_memory_bytes(),
            instruction_set: classifier.map(|c| c.isa().to_owned()),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build: env!("BUILD_PROFILE").to_owned(),
        }
    }

    pub(super) fn line(&self) -> String {
        let isa = self.instruction_set.as_ref().map_or(String::new(), |isa| format!(", kernels for {isa}"));
        format!("{}{isa}; {}", self.machine(), self.program())
    }

    /// `AMD EPYC, 2 cores, 24 GiB, linux x86_64`
    pub(super) fn machine(&self) -> String {
        let cores = self.logical_cores.map_or("? cores".to_owned(), |n| counted(n, "core"));
        let memory = self.memory_bytes.map_or(String::new(), |b| format!(", {} GiB", b.div_ceil(1 << 30)));
        let Self { cpu, os, arch, .. } = self;
        format!("{cpu}, {cores}{memory}, {os} {arch}")
    }

    /// `skinclf 0.1.0, release build`
    pub(super) fn program(&self) -> String {
        format!("skinclf {}, {} build", self.version, self.build)
    }
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
