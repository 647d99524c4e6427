CREATE TABLE "drift_reports" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "drift_reports_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"tenant" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"from_commit" text NOT NULL,
	"from_digest" text NOT NULL,
	"to_commit" text NOT NULL,
	"to_digest" text NOT NULL,
	"examined" integer NOT NULL,
	"unexaminable" integer NOT NULL,
	"changed" integer NOT NULL,
	"entries" json NOT NULL
);
--> statement-breakpoint
CREATE TABLE "endorsements" (
	"digest" text PRIMARY KEY NOT NULL,
	"parts" "bytea" NOT NULL,
	"last_used_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "enforcement_points" (
	"tenant" text NOT NULL,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"commit" text NOT NULL,
	"digest" text NOT NULL,
	"reported_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "enforcement_points_tenant_kind_name_pk" PRIMARY KEY("tenant","kind","name")
);
--> statement-breakpoint
CREATE TABLE "policies" (
	"tenant" text PRIMARY KEY NOT NULL,
	"sequence" integer NOT NULL,
	"commit" text NOT NULL,
	"digest" text NOT NULL,
	"marks" json NOT NULL,
	"provenance" json NOT NULL,
	"accepted_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "policy_acceptances" (
	"tenant" text NOT NULL,
	"sequence" integer NOT NULL,
	"commit" text NOT NULL,
	"digest" text NOT NULL,
	"state_digest" text NOT NULL,
	"accepted_at" timestamp (3) with time zone NOT NULL,
	"previous" text NOT NULL,
	"hash" text NOT NULL,
	CONSTRAINT "policy_acceptances_tenant_sequence_pk" PRIMARY KEY("tenant","sequence")
);
--> statement-breakpoint
CREATE TABLE "policy_sightings" (
	"tenant" text NOT NULL,
	"commit" text NOT NULL,
	"seen_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "policy_sightings_tenant_commit_pk" PRIMARY KEY("tenant","commit")
);
--> statement-breakpoint
DROP INDEX "appraisals_tenant_environment_agent_at_index";--> statement-breakpoint
ALTER TABLE "appraisals" ADD COLUMN "audience" text;--> statement-breakpoint
ALTER TABLE "appraisals" ADD COLUMN "manifest_commit" text;--> statement-breakpoint
ALTER TABLE "appraisals" ADD COLUMN "manifest_principal" text;--> statement-breakpoint
ALTER TABLE "appraisals" ADD COLUMN "reference_line" integer;--> statement-breakpoint
ALTER TABLE "appraisals" ADD COLUMN "reference_matched" boolean;--> statement-breakpoint
ALTER TABLE "appraisals" ADD COLUMN "layers" json DEFAULT '[]'::json NOT NULL;--> statement-breakpoint
CREATE INDEX "drift_reports_tenant_id_index" ON "drift_reports" USING btree ("tenant","id");--> statement-breakpoint
CREATE INDEX "endorsements_last_used_at_index" ON "endorsements" USING btree ("last_used_at");--> statement-breakpoint
CREATE INDEX "policy_sightings_seen_at_index" ON "policy_sightings" USING btree ("seen_at");--> statement-breakpoint
CREATE INDEX "appraisals_tenant_at_id_index" ON "appraisals" USING btree ("tenant","at","id");--> statement-breakpoint
CREATE INDEX "appraisals_at_index" ON "appraisals" USING btree ("at");