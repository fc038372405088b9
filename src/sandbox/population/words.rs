//! The words of which made-up texts consist.

use crate::sandbox::population::generator::Generator;

pub(super) static FIRST_NAMES: &[&str] = &[
    "Ada", "Amara", "Anil", "Anna", "Beatriz", "Bjørn", "Carlos", "Chen", "Chloe", "Daniel",
    "Deniz", "Elena", "Emeka", "Emil", "Esra", "Fatima", "Felix", "Gabriel", "Grace", "Hana",
    "Hugo", "Ibrahim", "Ines", "Ivan", "Jamal", "Jana", "João", "Jonas", "Julia", "Kai", "Karim",
    "Keiko", "Lars", "Leila", "Lena", "Liam", "Lucía", "Magnus", "Maria", "Mateo", "Mei", "Mina",
    "Nadia", "Naomi", "Nikhil", "Noah", "Olga", "Omar", "Paula", "Priya", "Quentin", "Rahul",
    "Rosa", "Samira", "Sanjay", "Sofia", "Tariq", "Thandi", "Uma", "Viktor", "Wei", "Ximena",
    "Yara", "Yusuf", "Zoë", "Zuzana",
];

pub(super) static LAST_NAMES: &[&str] = &[
    "Abbott",
    "Adeyemi",
    "Almeida",
    "Andersen",
    "Aoki",
    "Bakker",
    "Banerjee",
    "Barros",
    "Becker",
    "Bianchi",
    "Bondarenko",
    "Castillo",
    "Chandra",
    "Chow",
    "Costa",
    "Dahl",
    "Darwish",
    "Delgado",
    "Diallo",
    "Dubois",
    "Eriksen",
    "Farouk",
    "Ferreira",
    "Fischer",
    "Fontaine",
    "Gallagher",
    "Gomes",
    "Gupta",
    "Hansen",
    "Haddad",
    "Herrera",
    "Hoang",
    "Horváth",
    "Ishikawa",
    "Ivanova",
    "Jensen",
    "Kaplan",
    "Keller",
    "Khan",
    "Kimura",
    "Kovač",
    "Kowalski",
    "Larsen",
    "Lindqvist",
    "Lombardi",
    "Lopes",
    "Mahlangu",
    "Marino",
    "Mbeki",
    "Mehta",
    "Morales",
    "Moreau",
    "Müller",
    "Nakamura",
    "Ndiaye",
    "Nguyen",
    "Novák",
    "Nowak",
    "Okafor",
    "Olsen",
    "Osman",
    "Papadakis",
    "Park",
    "Pereira",
    "Petrov",
    "Quinn",
    "Rahman",
    "Reyes",
    "Ricci",
    "Rossi",
    "Santos",
    "Sato",
    "Schneider",
    "Shah",
    "Silva",
    "Sokolov",
    "Takahashi",
    "Tanaka",
    "Thapa",
    "Vargas",
    "Varga",
    "Virtanen",
    "Weber",
    "Yamada",
    "Yilmaz",
    "Zhang",
];

pub(super) static DEPARTMENTS: &[&str] = &[
    "Aerospace Engineering",
    "Astronomy",
    "Biochemistry",
    "Bioinformatics",
    "Chemical Engineering",
    "Chemistry",
    "Civil Engineering",
    "Computer Science",
    "Earth and Planetary Sciences",
    "Economics",
    "Epidemiology",
    "Linguistics",
    "Materials Science",
    "Mathematics",
    "Mechanical Engineering",
    "Neuroscience",
    "Pharmacology",
    "Physics",
    "Psychology",
    "Statistics",
];

pub(super) static ROLES: &[&str] = &[
    "Doctoral Student",
    "Lecturer",
    "Postdoctoral Researcher",
    "Research Engineer",
    "Undergraduate Student",
];

pub(super) static OWNER_ROLES: &[&str] =
    &["Assistant Professor", "Associate Professor", "Professor", "Research Scientist"];

pub(super) static STAFF_ROLES: &[&str] =
    &["Allocations Officer", "Research Consultant", "Systems Administrator", "User Support"];

pub(super) static TOPICS: &[&str] = &[
    "Aerosol Chemistry",
    "Battery Materials",
    "Catalysis",
    "Climate Modelling",
    "Cloud Physics",
    "Computational Linguistics",
    "Coral Genomics",
    "Cosmology",
    "Crystal Growth",
    "Density Functional Theory",
    "Disease Modelling",
    "Drug Discovery",
    "Earthquake Simulation",
    "Fluid Dynamics",
    "Galaxy Formation",
    "Gene Regulation",
    "Glacier Dynamics",
    "Graph Algorithms",
    "Gravitational Waves",
    "Image Reconstruction",
    "Lattice Field Theory",
    "Machine Translation",
    "Medical Imaging",
    "Membrane Proteins",
    "Metagenomics",
    "Molecular Dynamics",
    "Neural Circuits",
    "Neutron Transport",
    "Ocean Circulation",
    "Particle Tracking",
    "Plasma Turbulence",
    "Population Genetics",
    "Protein Folding",
    "Quantum Chemistry",
    "Quantum Information",
    "Reactive Flow",
    "Remote Sensing",
    "Speech Processing",
    "Structural Mechanics",
    "Traffic Modelling",
];

pub(super) static TEAM_KINDS: &[&str] = &["Centre", "Group", "Laboratory", "Project", "Team"];

pub(super) static OUTLOOKS: &[&str] = &[
    "at Scale",
    "at the Exascale",
    "for Small Systems",
    "from First Principles",
    "in Real Time",
    "on Graphics Processors",
    "under Extreme Conditions",
    "under Uncertainty",
    "with Adaptive Meshes",
    "with Machine Learning",
    "with Mixed Precision",
    "with Sparse Data",
];

pub(super) static APPROACHES: &[&str] = &[
    "A Benchmark of",
    "A Survey of",
    "Advances in",
    "Ensembles for",
    "Fast Methods for",
    "Limits of",
    "Open Data on",
    "Parallel Codes for",
    "Reproducible Studies in",
    "Towards Predictive",
    "Uncertainty in",
    "Validated Models of",
];

pub(super) static AGENCIES: &[&str] = &[
    "Agency for Applied Computing",
    "Coastal Research Council",
    "Foundation for Basic Research",
    "Institute of Health Studies",
    "Materials Innovation Fund",
    "National Energy Board",
    "Polar Science Programme",
    "Space Sciences Office",
];

pub(super) static JOURNALS: &[&str] = &[
    "Annals of Simulation",
    "Computing in the Sciences",
    "Journal of Applied Models",
    "Journal of Large-Scale Data",
    "Letters on Parallel Methods",
    "Proceedings on Numerics",
    "Reviews of Computational Physics",
    "Transactions on Scientific Software",
];

pub(super) static SENTENCES: &[&str] = &[
    "Each run takes between two and twelve hours on a single node.",
    "Earlier results were limited by the number of samples that we could afford.",
    "The code scales to 64 nodes with an efficiency of more than 80 %.",
    "We compare three solvers, and publish the inputs along with the results.",
    "About a third of the time goes into calibration, the rest into production runs.",
    "Checkpoints are written every hour, so that jobs can be preempted.",
    "The data amount to some 4 TB, of which a tenth has to be kept.",
    "All software that is used is open source and installed by ourselves.",
    "Two doctoral students will carry out the work.",
    "The mesh is refined where the error estimate exceeds 10⁻³.",
    "Memory is the bottleneck: a job needs 16 GB for each core.",
    "Preliminary tests on a workstation took more than a week each.",
    "Graphics processors shorten the training from days to hours.",
    "The project is carried out together with partners at two other universities.",
    "A sweep over five parameters makes 3,125 independent jobs.",
    "We expect one paper and a public data set at the end of the period.",
    "The allocation of the year before was used up by ten months.",
    "Only short jobs of many cores are planned, mostly at night.",
];

pub(super) static REMARKS: &[&str] = &[
    "Could you say how the service units were estimated?",
    "The scaling plot is missing from the proposal.",
    "Thank you, the numbers look plausible to me.",
    "We have added the missing figures to the budget.",
    "Please state which software will be used.",
    "The job sizes fit better on the other cluster.",
    "Half of the time would do for the first six months.",
    "We would need the results before the end of the term.",
    "The group has used 40 % of what it was given last year.",
    "This looks ready to be decided.",
];

impl Generator<'_> {
    /// So many sentences, none twice.
    pub(super) fn paragraph(&mut self, sentences: usize) -> String {
        self.some(SENTENCES, sentences).join(" ")
    }

    pub(super) fn title(&mut self) -> String {
        let topic = self.word(TOPICS);
        if self.chance(50) {
            format!("{topic} {}", self.word(OUTLOOKS))
        } else {
            format!("{} {topic}", self.word(APPROACHES))
        }
    }
}
