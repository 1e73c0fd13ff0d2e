package config

// Options from j to k.

var JmapEmailsearchDbPath = newString(Row{Name: "jmap_emailsearch_db_path", Since: "3.1.6", Deprecated: "3.6.0", Group: "jmap"})

var JmapQuerycacheMaxAge = newDuration(Row{Name: "jmap_querycache_max_age", Default: "0m", Since: "3.6.0", Unit: "m", Group: "jmap"})

var JmapPreviewAnnot = newString(Row{Name: "jmap_preview_annot", Since: "3.1.1", Group: "jmap",
	Doc: `The annotation of messages, "/shared/…", that FETCH PREVIEW answers with; without it there is no preview.`})

var JmapImagesizeAnnot = newString(Row{Name: "jmap_imagesize_annot", Since: "3.1.1", Group: "jmap"})

var JmapInlinedcidsAnnot = newString(Row{Name: "jmap_inlinedcids_annot", Since: "3.1.1", Group: "jmap"})

var JmapPreviewLength = newInt(Row{Name: "jmap_preview_length", Default: "64", Since: "3.1.1", Group: "jmap"})

var JmapMaxCatenateItems = newInt(Row{Name: "jmap_max_catenate_items", Default: "100", Since: "3.6.0", Group: "jmap"})

var JmapMaxSizeUpload = newInt(Row{Name: "jmap_max_size_upload", Default: "1048576", Since: "3.1.6", Unit: "KiB", Group: "jmap"})

var JmapMaxSizeBlobSet = newInt(Row{Name: "jmap_max_size_blob_set", Default: "4096", Since: "3.3.0", Unit: "KiB", Group: "jmap"})

var JmapMaxConcurrentUpload = newInt(Row{Name: "jmap_max_concurrent_upload", Default: "5", Since: "3.1.6", Group: "jmap"})

var JmapMaxSizeRequest = newInt(Row{Name: "jmap_max_size_request", Default: "10240", Since: "3.1.6", Unit: "KiB", Group: "jmap"})

var JmapMaxConcurrentRequests = newInt(Row{Name: "jmap_max_concurrent_requests", Default: "5", Since: "3.1.6", Group: "jmap"})

var JmapMaxCallsInRequest = newInt(Row{Name: "jmap_max_calls_in_request", Default: "50", Since: "3.1.6", Group: "jmap"})

var JmapMaxDelayedSend = newDuration(Row{Name: "jmap_max_delayed_send", Default: "512d", Since: "3.1.8", Unit: "s", Group: "jmap"})

var JmapMaxObjectsInGet = newInt(Row{Name: "jmap_max_objects_in_get", Default: "4096", Since: "3.1.6", Group: "jmap"})

var JmapMaxObjectsInSet = newInt(Row{Name: "jmap_max_objects_in_set", Default: "4096", Since: "3.1.6", Group: "jmap"})

var JmapMailMaxSizeAttachmentsPerEmail = newInt(Row{Name: "jmap_mail_max_size_attachments_per_email", Default: "10240", Since: "3.1.6", Unit: "KiB", Group: "jmap"})

var JmapNonstandardExtensions = newSwitch(Row{Name: "jmap_nonstandard_extensions", Default: "no", Since: "3.1.9", Group: "jmap"})

var JmapPushpoll = newDuration(Row{Name: "jmap_pushpoll", Default: "60s", Since: "3.6.0", Unit: "s", Group: "jmap"})

var JmapSetHasAttachment = newSwitch(Row{Name: "jmap_set_has_attachment", Default: "yes", Since: "3.1.5", Group: "jmap"})

var JmapVacation = newSwitch(Row{Name: "jmap_vacation", Default: "yes", Since: "3.1.8", Group: "jmap"})

var Jmapuploadfolder = newString(Row{Name: "jmapuploadfolder", Default: "#jmap", Since: "3.1.1", Group: "jmap"})

var JmapsubmissionDeleteonsend = newSwitch(Row{Name: "jmapsubmission_deleteonsend", Default: "yes", Since: "3.1.8", Group: "jmap"})

var Jmapsubmissionfolder = newString(Row{Name: "jmapsubmissionfolder", Default: "#jmapsubmission", Since: "3.1.8", Group: "jmap"})

var Jmappushsubscriptionfolder = newString(Row{Name: "jmappushsubscriptionfolder", Default: "#jmappushsubscription", Since: "3.1.8", Group: "jmap"})

var Iolog = newSwitch(Row{Name: "iolog", Default: "no", Since: "2.5.0", Group: "logging",
	Doc: `No effect.`,
})
