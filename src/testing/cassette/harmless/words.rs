//! Words of servers, which tell nothing of those who use them.

/// Words of the messages with which servers refuse requests. A message may be made of these.
pub(super) const WORDS: &str = "\
    A a Accept access AccessToken account Action action Active active address Admin again Alias \
    aliases all Allocation AllocationRequest AllocationRequestReview AllocationReview allowed \
    alphanumeric already also an and any AppLog are as at Attachment attempts AuditLog \
    Authentication Authorization available be been before between blacklisted blank bool \
    boolean both boundary but by can Cannot cannot char character characters Check check \
    checking choice choices Cluster cluster column Comment comments common contain contained \
    contains content cookie correct Could could create credentials CSRF data Date date \
    date/time decimal defined DELETE delete deleted delimiter description dict dictionaries \
    dictionary did different digits Directory do does doi double duplicate each email empty \
    enclosed encoding end Ensure Enter entirely equal error exceed except exist exists Expected \
    expected Expecting expired Failed failed False field fields File file files float for form \
    format formats found from GET Given given got Grant grant greater group has have HEAD \
    header host HTTP id identification in inactive Incorrect incorrect index insecure instead \
    int integer into Invalid invalid is It item items its job JSON Key label labels later least \
    length less letters limit line list logged long longer make malformed many map marked match \
    matched matches may MB media Member member Membership membership memberships message Method \
    method missing more Multipart multipart Must must name never new No no non-staff None \
    NoneType Not not Notification Null null number numbers numeric object of on One one Only \
    only OPTIONS or order Origin origin origins out Owner page parse part password PATCH path \
    perform permission pk place places Please please point positive POST Preference preference \
    preferences previous private property provided Publication publication PUT query quotes \
    range read received recognizable record records Reference reference references Referer \
    Request request requested required research ResearchGroup resolve resolved resource \
    ResourceAllocation response Reviewer route satisfy seconds secure Select select served \
    Server server set short should similar size slug space-delimited spaces staff start status \
    Step step still str String string Submitted submitted submitter Successfully such \
    TaskResult Team team teams text than That that The the there these This this those \
    throttled time to Token token too total traverse True trusted Try try two type types \
    underscores unicode unique unknown unless Unsupported unsupported uploaded uploading url \
    Use User user Username username users valid value Values values view Wait wait was were \
    when which while will with within without would write written wrong year You YYYY-MM-DD \
    zero";

/// Segments of the paths of the API.
pub(super) const PATH_WORDS: &str = "\
    access-mode active allocations api apps attachments audit authentication batch blacklist \
    cluster-choices clusters comments config feed grants health json keystone login logout logs \
    media membership membership-choices memberships metrics new notification-choices \
    notifications openapi preferences prom publications refresh request-choices requests research \
    researchgroups review-choices reviews role static stats status tasks teams type users v1 v2 \
    version whoami yaml";

/// What fields with codes may have beside codes of two capital letters.
pub(super) const CODE_WORDS: &str = "\
    access audit Celery create CRITICAL Database DEBUG DELETE delete ERROR error FAILURE GET get \
    HEAD healthy INFO NOTSET ok OK OPTIONS PATCH patch PENDING POST post PUT put RECEIVED Redis \
    refresh request RETRY REVOKED SMTP STARTED Storage SUCCESS task unhealthy update utf-8 UTF-8 \
    WARNING WARN working";

/// Codes of refusals.
pub(super) const REFUSAL_CODES: &str = "\
    authentication_failed bad_authorization_header blank does_not_exist error incorrect_type \
    invalid invalid_choice max_length method_not_allowed min_length no_active_account \
    not_acceptable not_authenticated not_found null parse_error password_changed \
    permission_denied required throttled token_not_valid unique unsupported_media_type \
    user_inactive user_not_found";

/// Applications and models, as histories name them.
pub(super) const MODELS: &str = "\
    admin allocations auth authentication health logging logs notifications plugins research \
    scheduler sessions stats users Allocation AllocationRequest AllocationRequestReview \
    AllocationReview AppLog Attachment AuditLog Cluster Comment Grant Membership Notification \
    Preference Publication RequestLog ResearchGroup ResourceAllocation TaskResult Team User";

/// What follows the name of a field in a parameter.
pub(super) const LOOKUPS: &str = "\
    contains date day endswith exact gt gte hour icontains iendswith iexact in iregex isnull \
    iso_week_day iso_year istartswith lt lte minute month not quarter range regex second \
    startswith time week week_day year";

pub(super) const MEDIA_TYPES: &str = "\
    application/excel application/gzip application/javascript application/json \
    application/msexcel application/mspowerpoint application/msword application/octet-stream \
    application/pdf application/problem+json application/rar application/rtf application/tar \
    application/vnd.ms-excel application/vnd.ms-powerpoint application/vnd.oai.openapi \
    application/vnd.oai.openapi+json application/vnd.oasis.opendocument.presentation \
    application/vnd.oasis.opendocument.spreadsheet application/vnd.oasis.opendocument.text \
    application/vnd.openxmlformats-officedocument.presentationml.presentation \
    application/vnd.openxmlformats-officedocument.spreadsheetml.sheet \
    application/vnd.openxmlformats-officedocument.wordprocessingml.document \
    application/x-7z-compressed application/x-gzip application/x-rar-compressed \
    application/x-tar application/x-www-form-urlencoded application/x-zip-compressed \
    application/xml application/yaml application/zip audio/mpeg image/bmp image/gif image/jpeg \
    image/jpg image/pjpeg image/png image/svg+xml image/tiff image/webp multipart/form-data \
    text/css text/csv text/html text/javascript text/markdown text/plain text/richtext text/rtf \
    text/xml text/yaml video/quicktime";

/// Whether a word is in one of these lists.
pub(super) fn is_in(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == word)
}
