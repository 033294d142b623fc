//! The numbers that have rules of their own, each with its check.

use serde::Deserialize;

use super::{americas, asia, bank, crypto, east, health, north, pacific, payment, vehicle, west};

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident => $check:path,)*) => {
        /// A number with a rule: a length, a day, a check digit. Its detector
        /// names it in lower case with hyphens (`nl-bsn`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Number {
            $($(#[$doc])* $name,)*
        }

        impl Number {
            /// Every one.
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name,)*];

            /// Whether a text is such a number. Marks between its groups do not
            /// count.
            pub(crate) fn fits(self, text: &str) -> bool {
                match self {
                    $(Self::$name => $check(text),)*
                }
            }
        }
    };
}

numbers! {
    /// US individual taxpayer.
    UsItin => americas::us_itin,
    /// US employer.
    UsEin => americas::us_ein,
    /// US bank.
    UsRouting => bank::us_routing,
    /// US health provider.
    UsNpi => health::us_npi,
    /// US prescriber.
    UsDea => health::us_dea,
    /// US Medicare.
    UsMbi => health::us_mbi,
    /// Canadian social insurance.
    CaSin => americas::ca_sin,
    /// Ontario health card.
    CaHealth => americas::ca_health,
    /// Brazilian person.
    BrCpf => americas::br_cpf,
    /// Brazilian company.
    BrCnpj => americas::br_cnpj,
    /// Mexican person.
    MxCurp => americas::mx_curp,
    /// Mexican taxpayer.
    MxRfc => americas::mx_rfc,
    /// Mexican bank account.
    MxClabe => americas::mx_clabe,
    /// Argentine taxpayer.
    ArCuit => americas::ar_cuit,
    /// Chilean person or taxpayer.
    ClRut => americas::cl_rut,
    /// UK health service.
    GbNhs => health::gb_nhs,
    /// UK national insurance.
    GbNino => west::gb_nino,
    /// UK taxpayer.
    GbUtr => west::gb_utr,
    /// UK driver.
    GbLicence => west::gb_licence,
    /// German taxpayer.
    DeTaxId => west::de_tax_id,
    /// German identity card or passport.
    DeIdCard => west::de_id_card,
    /// German pension.
    DePension => west::de_pension,
    /// German health insurance.
    DeHealth => west::de_health,
    /// German doctor.
    DeDoctor => west::de_doctor,
    /// German VAT.
    DeVat => west::de_vat,
    /// German driver.
    DeLicence => west::de_licence,
    /// Spanish person.
    EsNif => west::es_nif,
    /// French person.
    FrNir => west::fr_nir,
    /// Italian person.
    ItFiscal => west::it_fiscal,
    /// Italian VAT.
    ItVat => west::it_vat,
    /// Dutch person.
    NlBsn => west::nl_bsn,
    /// Belgian person.
    BeNational => west::be_national,
    /// Swiss insured person.
    ChAhv => west::ch_ahv,
    /// Austrian insured person.
    AtSvnr => west::at_svnr,
    /// Portuguese taxpayer.
    PtNif => west::pt_nif,
    /// Irish person.
    IePps => west::ie_pps,
    /// Greek insured person.
    GrAmka => west::gr_amka,
    /// Greek taxpayer.
    GrAfm => west::gr_afm,
    /// Swedish person.
    SePerson => north::se_person,
    /// Swedish organisation.
    SeOrg => north::se_org,
    /// Finnish person.
    FiHetu => north::fi_hetu,
    /// Norwegian person.
    NoFnr => north::no_fnr,
    /// Danish person.
    DkCpr => north::dk_cpr,
    /// Icelandic person.
    IsKennitala => north::is_kennitala,
    /// Estonian or Lithuanian person.
    Baltic => north::baltic,
    /// Latvian person.
    LvPerson => north::lv_person,
    /// Polish person.
    PlPesel => east::pl_pesel,
    /// Polish taxpayer.
    PlNip => east::pl_nip,
    /// Polish business.
    PlRegon => east::pl_regon,
    /// Polish identity card.
    PlIdCard => east::pl_id_card,
    /// Romanian person.
    RoCnp => east::ro_cnp,
    /// Czech or Slovak person.
    CzBirth => east::cz_birth,
    /// Bulgarian person.
    BgEgn => east::bg_egn,
    /// Hungarian taxpayer.
    HuTax => east::hu_tax,
    /// Hungarian insured person.
    HuTaj => east::hu_taj,
    /// Croatian person.
    HrOib => east::hr_oib,
    /// Person in Serbia, Bosnia, Slovenia and their neighbours.
    YuJmbg => east::yu_jmbg,
    /// Turkish person.
    TrTckn => east::tr_tckn,
    /// Turkish vehicle.
    TrPlate => east::tr_plate,
    /// Israeli person.
    IlId => east::il_id,
    /// Indian person.
    InAadhaar => asia::in_aadhaar,
    /// Indian taxpayer.
    InPan => asia::in_pan,
    /// Indian business.
    InGstin => asia::in_gstin,
    /// Indian voter.
    InVoter => asia::in_voter,
    /// Indian vehicle.
    InPlate => vehicle::in_plate,
    /// Singapore person.
    SgNric => asia::sg_nric,
    /// Singapore entity.
    SgUen => asia::sg_uen,
    /// South Korean resident or foreigner.
    KrRrn => asia::kr_rrn,
    /// South Korean business.
    KrBrn => asia::kr_brn,
    /// South Korean driver.
    KrLicence => asia::kr_licence,
    /// Thai person.
    ThTnin => asia::th_tnin,
    /// Chinese resident.
    CnResident => asia::cn_resident,
    /// Japanese person.
    JpIndividual => asia::jp_individual,
    /// Taiwanese person.
    TwId => asia::tw_id,
    /// Hong Kong person.
    HkId => asia::hk_id,
    /// Malaysian person.
    MyNric => asia::my_nric,
    /// Philippine taxpayer.
    PhTin => asia::ph_tin,
    /// Indonesian person.
    IdNik => asia::id_nik,
    /// Australian business.
    AuAbn => pacific::au_abn,
    /// Australian company.
    AuAcn => pacific::au_acn,
    /// Australian taxpayer.
    AuTfn => pacific::au_tfn,
    /// Australian Medicare.
    AuMedicare => pacific::au_medicare,
    /// New Zealand taxpayer.
    NzIrd => pacific::nz_ird,
    /// South African person.
    ZaId => pacific::za_id,
    /// Nigerian person.
    NgNin => pacific::ng_nin,
    /// Bank, by SWIFT.
    Bic => bank::bic,
    /// Bank account, by a word.
    Account => bank::account,
    /// Letters and digits of a document, by a word.
    Numbered => west::numbered,
    /// One or two letters and digits of a passport, by a word.
    LetteredPassport => north::lettered_passport,
    /// Vehicle, with the check that North America demands.
    Vin => vehicle::vin,
    /// Vehicle.
    VinForm => vehicle::vin_form,
    /// Mobile device.
    Imei => vehicle::imei,
    /// Bitcoin and others in base 58.
    #[serde(rename = "base58check")]
    Base58Check => crypto::base58check,
    /// Ripple.
    Ripple => crypto::ripple,
    /// Bitcoin and Litecoin, segwit.
    Segwit => crypto::segwit,
    /// Cardano.
    Cardano => crypto::cardano,
    /// Ethereum.
    Ethereum => crypto::ethereum,
    /// Magnetic track.
    Track => payment::track,
}

#[cfg(test)]
mod tests;
