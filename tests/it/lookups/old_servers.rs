//! The lookups of records of servers up to 0.4.1.

use keystone_client::resources::legacy;

use super::*;

#[test]
fn legacy_records() {
    resource! { legacy::ResearchGroup, nothing ["admins" "members"]:
        id "id" number (Id::new(7), "7");
        name "name" text ("x", "x");
        is_active "is_active" flag (true, "true");
        pi "pi" key (Id::new(7), "7");
    }
    resource! { legacy::Grant, nothing []:
        id "id" number (Id::new(7), "7");
        title "title" text ("x", "x");
        agency "agency" text ("x", "x");
        amount "amount" number (1_000, "1000");
        grant_number "grant_number" text ("x", "x");
        fiscal_year "fiscal_year" number (2026, "2026");
        start_date "start_date" date (date(2026, 1, 31), "2026-01-31");
        end_date "end_date" date (date(2026, 1, 31), "2026-01-31");
        group "group" key (Id::new(7), "7");
    }
    resource! { legacy::User, nothing ["groups" "user_permissions" "password"]:
        id "id" number (Id::new(7), "7");
        username "username" text ("ada", "ada");
        first_name "first_name" text ("x", "x") null;
        last_name "last_name" text ("x", "x") null;
        email "email" text ("x", "x") null;
        department "department" text ("x", "x") null;
        role "role" text ("x", "x") null;
        is_active "is_active" flag (true, "true");
        is_staff "is_staff" flag (true, "true");
        is_ldap_user "is_ldap_user" flag (true, "true");
        is_superuser "is_superuser" flag (true, "true");
        date_joined "date_joined" time (time(), "2026-11-01T08:30:00.000007Z");
        last_login "last_login" time (time(), "2026-11-01T08:30:00.000007Z") null;
    }
    resource! { legacy::Cluster, nothing []:
        id "id" number (Id::new(7), "7");
        name "name" text ("x", "x");
        description "description" text ("x", "x") null;
        enabled "enabled" flag (true, "true");
    }
    resource! { legacy::AllocationRequest, nothing ["assignees"]:
        id "id" number (Id::new(7), "7");
        title "title" text ("x", "x");
        description "description" text ("x", "x");
        submitted "submitted" date (date(2026, 1, 31), "2026-01-31");
        status "status" text (RequestStatus::Approved, "AP");
        active "active" date (date(2026, 1, 31), "2026-01-31") null;
        expire "expire" date (date(2026, 1, 31), "2026-01-31") null;
        group "group" key (Id::new(7), "7");
    }
    resource! { legacy::Allocation, nothing []:
        id "id" number (Id::new(7), "7");
        requested "requested" number (7, "7");
        awarded "awarded" number (7, "7") null;
        r#final "final" number (7, "7") null;
        cluster "cluster" key (Id::new(7), "7");
        request "request" key (Id::new(7), "7");
    }
    resource! { legacy::Review, nothing []:
        id "id" number (Id::new(7), "7");
        status "status" text (ReviewStatus::Approved, "AP");
        public_comments "public_comments" text ("x", "x") null;
        private_comments "private_comments" text ("x", "x") null;
        date_modified "date_modified" time (time(), "2026-11-01T08:30:00.000007Z");
        request "request" key (Id::new(7), "7");
        reviewer "reviewer" key (Id::new(7), "7");
    }
    resource! { legacy::Publication, nothing []:
        id "id" number (Id::new(7), "7");
        title "title" text ("x", "x");
        r#abstract "abstract" text ("x", "x");
        date "date" date (date(2026, 1, 31), "2026-01-31");
        journal "journal" text ("x", "x");
        doi "doi" text ("x", "x") null;
        group "group" key (Id::new(7), "7");
    }
    resource! { legacy::AppLogEntry, nothing []:
        id "id" number (Id::new(7), "7");
        name "name" text ("x", "x");
        level "level" text ("x", "x");
        pathname "pathname" text ("x", "x");
        lineno "lineno" number (7, "7");
        message "message" text ("x", "x");
        func "func" text ("x", "x") null;
        sinfo "sinfo" text ("x", "x") null;
        time "time" time (time(), "2026-11-01T08:30:00.000007Z");
    }
    resource! { legacy::RequestLogEntry, nothing []:
        id "id" number (Id::new(7), "7");
        method "method" text ("x", "x");
        endpoint "endpoint" text ("x", "x");
        response_code "response_code" number (404, "404");
        remote_address "remote_address" text ("x", "x") null;
        time "time" time (time(), "2026-11-01T08:30:00.000007Z");
        user "user" key (Id::new(7), "7") null;
    }
    resource! { legacy::TaskResult, nothing []:
        id "id" number (Id::new(7), "7");
        task_id "task_id" text ("x", "x");
        periodic_task_name "periodic_task_name" text ("x", "x") null;
        task_name "task_name" text ("x", "x") null;
        task_args "task_args" text ("x", "x") null;
        task_kwargs "task_kwargs" text ("x", "x") null;
        status "status" text (TaskStatus::Failure, "FAILURE");
        worker "worker" text ("x", "x") null;
        content_type "content_type" text ("x", "x");
        content_encoding "content_encoding" text ("x", "x");
        result "result" text ("x", "x") null;
        date_created "date_created" time (time(), "2026-11-01T08:30:00.000007Z");
        date_done "date_done" time (time(), "2026-11-01T08:30:00.000007Z");
        traceback "traceback" text ("x", "x") null;
        meta "meta" text ("x", "x") null;
    }
}
