//! Every door of the catalogue opens, in both colours.

use jiff::civil::date;
use keystone_client::resources::legacy::{self, NewResearchGroup};
use keystone_client::resources::{
    AccessMode, AuditAction, FeedSource, MembershipRole, NewAllocation, NewAllocationRequest,
    NewCluster, NewComment, NewGrant, NewPreference, NewPublication, NewReview, NewTeam,
    NotificationType, RequestStatus, ReviewStatus,
};
use keystone_client::rust_decimal::Decimal;
use keystone_client::sandbox::{Dialect, Sandbox};
use keystone_client::{ErrorKind, Id};
use serde_json::{Value, json};

use crate::support::both_colours;

fn server(dialect: Dialect) -> Sandbox {
    Sandbox::builder().dialect(dialect).staff("admin", "admin-password").build()
}

fn insert(sandbox: &Sandbox, path: &str, record: Value) {
    sandbox.insert(path, record).unwrap_or_else(|error| panic!("{path}: {error}"));
}

both_colours! {
    fn requests_and_what_belongs_to_them() {
        let sandbox = server(Dialect::Session);
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let me = go!(client.whoami()).unwrap().unwrap().id;
        let team = go!(client.create_team(NewTeam::new("Folding"))).unwrap();
        let cluster = NewCluster::new("atlas")
            .access_mode(AccessMode::Whitelist)
            .access_teams([team.id]);
        let cluster = go!(client.create_cluster(cluster)).unwrap();
        assert_eq!(cluster.access_team_summaries[0].name, "Folding");
        let new = NewAllocationRequest::new("Title", "What for", me, team.id)
            .status(RequestStatus::Approved)
            .active(date(2026, 1, 1))
            .expire(date(9999, 12, 31));
        let request = go!(client.create_request(new)).unwrap().id;
        let new = NewAllocation::new(5_000, cluster.id, request).awarded(4_000);
        go!(client.create_allocation(new)).unwrap();

        let review = go!(client.create_review(NewReview::new(ReviewStatus::Approved, request)));
        let review = review.unwrap();
        assert_eq!(review.reviewer, Some(me));
        let review = client.update_review(review.id, |r| [r.status.set(ReviewStatus::Declined)]);
        assert_eq!(go!(review).unwrap().status, ReviewStatus::Declined);

        let comment = go!(client.create_comment(NewComment::new("Good.", request).private(true)));
        let comment = comment.unwrap();
        assert!(comment.private);
        let by_request = client.comments().filter(|c| c.request.eq(request));
        assert_eq!(go!(by_request.all()).unwrap(), [comment]);

        insert(&sandbox, "allocations/attachments", json!({
            "file": "allocations/budget.csv", "name": "budget.csv", "request": request.get()
        }));
        let attachment = go!(client.retrieve_attachments().first()).unwrap().unwrap();
        assert_eq!(attachment.file.as_deref(), Some("allocations/budget.csv"));
        let renamed = client.update_attachment(attachment.id, |a| [a.name.set("Budget")]);
        assert_eq!(go!(renamed).unwrap().name, "Budget");

        let whole = go!(client.retrieve_request(request)).unwrap();
        assert_eq!(whole.attachment_summaries[0].name, "Budget");
        assert_eq!(whole.comment_summaries[0].content, "Good.");
        assert_eq!(whole.allocation_summaries[0].awarded, Some(4_000));
        assert_eq!(whole.team_summary.unwrap().slug, "folding");
        assert_eq!(whole.history.entries().unwrap()[0].action, AuditAction::Create);

        let approved = client.requests().filter(|r| r.status.eq(RequestStatus::Approved));
        let stats = go!(approved.stats()).unwrap();
        assert_eq!((stats.request_active_count, stats.su_awarded_total), (1, 4_000.0));
        let declined = client.requests().filter(|r| r.status.eq(RequestStatus::Declined));
        assert_eq!(go!(declined.stats()).unwrap().request_count, 0);
        // A list of nothing would be ignored, and the figures those of everything.
        let nothing = client.requests().filter(|r| r.status.is_in([] as [RequestStatus; 0]));
        assert_eq!(go!(nothing.stats()).unwrap_err().kind(), ErrorKind::InvalidRequest);

        go!(client.delete_attachment(attachment.id)).unwrap();
        go!(client.delete_request(request)).unwrap();
        assert_eq!(go!(client.allocations().list().count()).unwrap(), 0);
    }

    fn research() {
        let sandbox = server(Dialect::Session);
        let client = client!(sandbox);
        go!(client.login("admin", "admin-password")).unwrap();
        let team = go!(client.create_team(NewTeam::new("Folding"))).unwrap().id;
        let amount = Decimal::new(99_999_999_999_999, 2);
        let new = NewGrant::new("Title", "NSF", amount, date(2026, 1, 1), team).pi("Ada");
        let grant = go!(client.create_grant(new)).unwrap();
        assert_eq!((grant.amount, grant.pi.as_deref()), (amount, Some("Ada")));
        let replaced = NewGrant::new("Title", "DOE", 5, date(2026, 1, 1), team);
        let grant = go!(client.grants().replace(grant.id, replaced)).unwrap();
        assert_eq!((grant.agency.as_str(), grant.pi.as_deref()), ("DOE", Some("Ada")));
        let stats = go!(client.grants().list().stats()).unwrap();
        assert_eq!(stats.funding_total.to_string(), "5.00");

        let new = NewPublication::new("On folding", team)
            .submitted(date(2026, 2, 1))
            .published(date(2026, 2, 3))
            .r#abstract("We fold.");
        let publication = go!(client.create_publication(new)).unwrap();
        let of_february = client.publications().filter(|p| p.published.month(2));
        assert_eq!(go!(of_february.all()).unwrap(), [publication]);
        let stats = go!(client.publications().list().stats()).unwrap();
        assert_eq!(stats.review_average, Some(jiff::SignedDuration::from_hours(48)));
    }

    fn notifications_and_preferences() {
        let sandbox = server(Dialect::Session);
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        insert(&sandbox, "notifications/notifications", json!({
            "user": 1, "subject": "Soon", "message_html": "<p>Soon.</p>", "notification_type": "RE"
        }));
        let unread = client.notifications().filter(|n| n.read.eq(false));
        let message = go!(unread.clone().first()).unwrap().unwrap();
        assert_eq!(message.notification_type, NotificationType::UpcomingRequestExpiration);
        assert_eq!(message.notification_type.label(), "Upcoming Request Expiration");
        let stats = go!(client.notifications().list().stats()).unwrap();
        assert_eq!((stats.total, stats.unread), (1, 1));
        let read = go!(client.update_notification(message.id, |n| [n.read.set(true)])).unwrap();
        assert!(read.read);
        assert_eq!(go!(unread.count()).unwrap(), 0);

        let new = NewPreference::new().request_expiry_thresholds(json!([90, 30]));
        let preference = go!(client.create_preference(new)).unwrap();
        assert_eq!(preference.request_expiry_thresholds, json!([90, 30]));
        assert_eq!(preference.user, Id::new(1));
    }

    fn the_server_itself() {
        let sandbox = Sandbox::builder()
            .staff("admin", "admin-password")
            .failing_check("SMTP", "Unavailable: Connection refused error")
            .build();
        let client = client!(sandbox.clone());
        // Open to anybody.
        assert!(!go!(client.is_healthy()).unwrap());
        let health = go!(client.health()).unwrap();
        assert!(!health.is_healthy());
        let failing = health.checks.iter().find(|check| !check.is_healthy).unwrap();
        assert_eq!(failing.name, "SMTP");
        assert_eq!(failing.error.as_deref(), Some("Unavailable: Connection refused error"));
        assert!(go!(client.health_metrics()).unwrap().contains("{check=\"SMTP\"} 500"));
        let document: Value =
            serde_json::from_slice(&go!(client.openapi_json()).unwrap()).unwrap();
        assert!(document["paths"]["/users/teams/"].is_object());
        assert!(!go!(client.openapi_yaml()).unwrap().is_empty());

        assert_eq!(go!(client.config()).unwrap_err().kind(), ErrorKind::NotLoggedIn);
        go!(client.login("admin", "admin-password")).unwrap();
        let config = go!(client.config()).unwrap();
        assert_eq!(config.max_upload_size, 2_621_440);
        assert_eq!(config.session_age.as_secs(), 14 * 86_400);
        assert!(config.allowed_file_types.iter().any(|it| it == "application/pdf"));
        let roles = go!(client.choices::<MembershipRole>()).unwrap();
        assert_eq!(roles[&MembershipRole::Owner], MembershipRole::Owner.label());
        assert_eq!(go!(client.choices::<ReviewStatus>()).unwrap().len(), 3);
        assert_eq!(go!(client.choices::<AccessMode>()).unwrap().len(), 3);
        assert_eq!(go!(client.choices::<NotificationType>()).unwrap().len(), 3);
        assert_eq!(go!(client.choices::<RequestStatus>()).unwrap().len(), 4);
    }

    fn logs() {
        let sandbox = server(Dialect::Session);
        let client = client!(sandbox);
        go!(client.login("admin", "admin-password")).unwrap();
        let team = go!(client.create_team(NewTeam::new("Folding"))).unwrap();
        let creations = client
            .audit_log()
            .filter(|a| a.action.eq(AuditAction::Create))
            .filter(|a| a.actor.eq(Id::new(1)));
        let entry = go!(creations.first()).unwrap().unwrap();
        assert_eq!((entry.record_name.as_str(), entry.record_id), ("users | Team", Some(team.id.get())));
        let cid = client.correlation_id().to_string();
        assert_eq!(entry.cid.as_deref(), Some(cid.as_str()));
        assert_eq!(FeedSource::from("audit"), FeedSource::Audit);
    }

    fn legacy_records() {
        let sandbox = server(Dialect::Jwt);
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let me: Id<legacy::User> = go!(client.whoami()).unwrap().unwrap().id.cast();
        let legacy = client.legacy();
        assert_eq!(go!(client.retrieve(me)).unwrap().username, "admin");
        let group = go!(legacy.research_groups().create(NewResearchGroup::new("Folding", me)));
        let group = group.unwrap().id;
        let cluster = go!(legacy.clusters().create(legacy::NewCluster::new("atlas"))).unwrap();
        let new = legacy::NewAllocationRequest::new("Title", "What for", group);
        let request = go!(legacy.requests().create(new)).unwrap();
        let new = legacy::NewAllocation::new(7, cluster.id, request.id);
        let allocation = go!(legacy.allocations().create(new)).unwrap();
        assert_eq!(go!(client.retrieve(allocation.request)).unwrap(), request);
        let new = legacy::NewReview::new(ReviewStatus::Approved, request.id).public_comments("Good.");
        let review = go!(legacy.reviews().create(new)).unwrap();
        assert_eq!(review.reviewer, Some(me));
        let day = date(2026, 1, 1);
        let new = legacy::NewGrant::new("Title", "NSF", 5, "1", 2026, day, day, group);
        assert_eq!(go!(legacy.grants().create(new)).unwrap().fiscal_year, 2026);
        let new = legacy::NewPublication::new("Title", "We fold.", day, "Folding", group);
        assert_eq!(go!(legacy.publications().create(new)).unwrap().doi, None);
        insert(&sandbox, "logs/apps", json!({
            "name": "django.request", "level": "WARNING", "pathname": "log.py", "lineno": 241,
            "message": "Not Found: /nope/", "func": null, "sinfo": null
        }));
        let warnings = legacy.app_log().filter(|l| l.level.eq("WARNING"));
        assert_eq!(go!(warnings.all()).unwrap()[0].lineno, 241);
        let logins = legacy.request_log().filter(|r| r.endpoint.starts_with("/authentication/new"));
        let logins = go!(logins.all()).unwrap();
        assert!(logins.iter().any(|entry| entry.response_code == 200));
        assert!(!format!("{logins:?}").contains("eyJ"));
        assert!(go!(legacy.task_results().list().all()).unwrap().is_empty());
        assert!(!go!(client.openapi_json()).unwrap().is_empty());
        assert!(go!(client.is_healthy()).unwrap());
        assert!(go!(client.health()).unwrap().is_healthy());
    }
}
